//! The words of `text/enriched` (RFC 1896) and of `text/richtext`, which it replaced (RFC 1341).

use crate::mail::limits::STRIPPED_BYTES_MAX;

/// Letters of a command; what is longer is none.
const COMMAND_LETTERS_MAX: usize = 60;

/// Commands whose content is about the words, and none of them.
const HIDDEN: [&str; 2] = ["param", "comment"];

/// Words and lines without the commands between them. Of a text that is longer than [`STRIPPED_BYTES_MAX`] the rest is dropped.
pub fn enriched(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(STRIPPED_BYTES_MAX)];
    let mut words = String::with_capacity(text.len());
    let (mut hidden, mut unfilled) = (0_usize, 0_usize);
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(['<', '\n']).unwrap_or(rest.len());
        let (run, after) = rest.split_at(plain);
        if hidden == 0 {
            words.push_str(run);
        }
        let breaks = after.len() - after.trim_start_matches('\n').len();
        let (shown, behind) = if breaks > 0 {
            // A line end alone is a blank, unless the lines are to be kept; the first of several too.
            let ends = if unfilled > 0 { breaks } else { breaks - 1 };
            (if ends > 0 { "\n".repeat(ends) } else { " ".to_owned() }, &after[breaks..])
        } else if let Some((name, closes, behind)) = command(after) {
            let depth = match name.as_str() {
                name if HIDDEN.contains(&name) => Some(&mut hidden),
                "nofill" => Some(&mut unfilled),
                _ => None,
            };
            if let Some(depth) = depth {
                *depth = if closes { depth.saturating_sub(1) } else { *depth + 1 };
            }
            let shown = match name.as_str() {
                "lt" => "<",
                "nl" | "np" | "paragraph" if !closes || name == "paragraph" => "\n",
                _ => "",
            };
            (shown.to_owned(), behind)
        } else {
            // Twice it stands for itself.
            let sign = after.strip_prefix("<<").or_else(|| after.strip_prefix('<'));
            (if sign.is_some() { "<" } else { "" }.to_owned(), sign.unwrap_or_default())
        };
        if hidden == 0 {
            words.push_str(&shown);
        }
        rest = behind;
    }
    words
}

/// The name of a command in lower case, whether it ends there, and what follows.
fn command(text: &str) -> Option<(String, bool, &str)> {
    let inside = text.strip_prefix('<')?;
    let (closes, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
    let letters = inside.bytes().take(COMMAND_LETTERS_MAX).take_while(|letter| letter.is_ascii_alphanumeric() || *letter == b'-').count();
    let behind = inside[letters..].strip_prefix('>').filter(|_| letters > 0)?;
    Some((inside[..letters].to_ascii_lowercase(), closes, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_and_words_and_lines_stay() {
        for (text, expected) in [
            ("<bold>My printer</bold>\nis <Italic>dead</Italic>", "My printer is dead"),
            ("one\n\ntwo\n\n\nthree", "one\ntwo\n\nthree"),
            ("<nofill>a\nb</nofill>\nc", "a\nb c"),
            ("<color><param>red</param>a</color> << b < c <d e>", "a < b < c <d e>"),
            ("<bold>a</bold><nl>b <lt>c<comment>d</comment>", "a\nb <c"),
            ("never <param>closed", "never "),
        ] {
            assert_eq!(enriched(text), expected, "{text}");
        }
    }
}
