//! The words of `text/enriched` (RFC 1896) and of `text/richtext`, which it replaced (RFC 1341).

use crate::mail::limits::STRIPPED_BYTES_MAX;

/// Letters of a command; what is longer is none.
const COMMAND_LETTERS_MAX: usize = 60;

/// Commands whose content is about the words, and none of them: each with what it cannot go beyond, if anything.
const HIDDEN: [(&str, &str, Option<char>); 2] = [("param", "</param>", Some('\n')), ("comment", "</comment>", None)];

/// Words and lines without the commands between them. Of a text that is longer than [`STRIPPED_BYTES_MAX`] the rest is dropped.
pub fn enriched(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(STRIPPED_BYTES_MAX)];
    let mut words = String::with_capacity(text.len());
    let mut hidden = Hidden { lower: text.to_ascii_lowercase(), unclosed_to: [0; HIDDEN.len()] };
    let mut unfilled = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(['<', '\n']).unwrap_or(rest.len());
        let (run, after) = rest.split_at(plain);
        words.push_str(run);
        let breaks = after.len() - after.trim_start_matches('\n').len();
        if breaks > 0 {
            // A line end alone is a blank, unless the lines are to be kept; the first of several too.
            let ends = if unfilled > 0 { breaks } else { breaks - 1 };
            words.push_str(&if ends > 0 { "\n".repeat(ends) } else { " ".to_owned() });
            rest = &after[breaks..];
        } else if let Some((name, closes, behind)) = command(after) {
            if name == "nofill" {
                unfilled = if closes { unfilled.saturating_sub(1) } else { unfilled + 1 };
            }
            words.push_str(match name.as_str() {
                "lt" => "<",
                "nl" | "np" | "paragraph" if !closes || name == "paragraph" => "\n",
                _ => "",
            });
            rest = if closes { behind } else { &text[hidden.end(&name, text.len() - behind.len())..] };
        } else {
            // Twice it stands for itself.
            let sign = after.strip_prefix("<<").or_else(|| after.strip_prefix('<'));
            words.push_str(if sign.is_some() { "<" } else { "" });
            rest = sign.unwrap_or_default();
        }
    }
    words
}

/// Where what is hidden ends.
struct Hidden {
    /// The text in lower case.
    lower: String,
    /// Up to where nothing closes each of the commands: no text is searched twice.
    unclosed_to: [usize; HIDDEN.len()],
}

impl Hidden {
    /// The end of what this command hides that ends here. One that nobody closes hides nothing.
    fn end(&mut self, name: &str, from: usize) -> usize {
        let Some(which) = HIDDEN.iter().position(|(hiding, ..)| *hiding == name) else { return from };
        let (_, close, bound) = HIDDEN[which];
        if from < self.unclosed_to[which] {
            return from;
        }
        let within = bound.and_then(|bound| self.lower[from..].find(bound)).map_or(self.lower.len(), |length| from + length);
        match self.lower[from..within].find(close) {
            Some(length) => from + length + close.len(),
            None => {
                self.unclosed_to[which] = within;
                from
            }
        }
    }
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
            ("never <param>closed", "never closed"),
            ("<param>card\nMy printer is dead</param>", "card My printer is dead"),
            ("<comment>a\nb</COMMENT>c <comment>d<param>e", "c de"),
        ] {
            assert_eq!(enriched(text), expected, "{text}");
        }
    }
}
