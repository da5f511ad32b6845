//! Ordinary HTML cleaned in one pass: the open elements are followed as the HTML standard follows them (section 13.2.6), and what is kept is written at once.
//!
//! What is written is closed in order and written in one way only, so that reading it again writes the same. HTML that the standard would rearrange
//! (formatting closed in the wrong order, words between table rows, rare elements) is [`Unfit`] and left to the full parser.

use super::{
    policy::{Element, Kind, element},
    tokens::{Tag, Token, Tokens},
    write::Writer,
};

/// Elements open at once; the same bound that browsers have.
pub const DEPTH_MAX: usize = 512;

/// Why HTML cannot be cleaned in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A parser would rearrange it.
    Irregular,
    TooDeep,
    TooLarge,
}

/// The cleaned HTML and the remote images that were named in it.
pub(super) fn clean(html: &str) -> Result<(String, usize), Unfit> {
    let mut tree = Tree { open: Vec::new(), writer: Writer::new(html.len()) };
    let mut tokens = Tokens::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => tree.text(text)?,
            Token::End(name) => tree.end(name)?,
            Token::Start(tag) => {
                let element = element(tag.name);
                if element.kind == Kind::RawText {
                    tree.raw_text(element, &mut tokens)?;
                } else {
                    tree.start(element, tag)?;
                }
            }
        }
    }
    tree.pop_to(0);
    Ok(tree.writer.finish())
}

/// What the innermost open element of a table makes of what comes next; the standard's insertion mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Page,
    Table,
    Columns,
    TableBody,
    Row,
    Cell,
    Caption,
}

#[derive(Clone, Copy)]
struct Open<'a> {
    element: &'static Element,
    /// As it was written; what tells unknown elements apart.
    name: &'a str,
    inside: Place,
}

impl Open<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

struct Tree<'a> {
    open: Vec<Open<'a>>,
    writer: Writer<'a>,
}

impl<'a> Tree<'a> {
    fn place(&self) -> Place {
        self.open.last().map_or(Place::Page, |open| open.inside)
    }

    fn text(&mut self, text: &str) -> Result<(), Unfit> {
        let flows = matches!(self.place(), Place::Page | Place::Cell | Place::Caption);
        if !flows && !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Err(Unfit::Irregular);
        }
        self.writer.text(text);
        Ok(())
    }

    fn raw_text(&mut self, element: &Element, tokens: &mut Tokens<'a>) -> Result<(), Unfit> {
        let content = tokens.raw_text(element.name);
        // A script may hold its own end tag inside a comment.
        let is_clear = element.name != "script" || !content.contains("<!--");
        if is_clear && self.place() != Place::Columns { Ok(()) } else { Err(Unfit::Irregular) }
    }

    fn start(&mut self, element: &'static Element, tag: Tag<'a>) -> Result<(), Unfit> {
        use Kind::{Caption, Cell, Column, Columns, Row, TableBody};
        // Each turn but the last opens what a table needs or closes what it ends: three at most.
        loop {
            let of_table = matches!(element.kind, Caption | Columns | Column | TableBody | Row | Cell);
            match (self.place(), element.kind) {
                (Place::Columns, kind) if !of_table && kind != Kind::Page => return Err(Unfit::Irregular),
                (_, Kind::Page) => return Ok(()),
                (Place::Page, _) if of_table => return Ok(()),
                (Place::Cell, _) if of_table => self.close_cell(),
                (Place::Caption, _) if of_table => self.close_caption(),
                (Place::Page | Place::Cell | Place::Caption, _) => return self.start_flowing(element, tag),
                (_, Kind::Void) if !element.kept => return Ok(()),
                (Place::Columns, Column) => {
                    self.writer.start(element, &tag);
                    return Ok(());
                }
                (Place::Table, Caption | Columns | TableBody) | (Place::TableBody, Row) | (Place::Row, Cell) => return self.push(element, tag),
                (Place::Table, Column) => self.push_implied("colgroup")?,
                (Place::Table, Row | Cell) => self.push_implied("tbody")?,
                (Place::TableBody, Cell) => self.push_implied("tr")?,
                (Place::TableBody | Place::Row | Place::Columns, _) if of_table => self.pop_to(self.open.len() - 1),
                _ => return Err(Unfit::Irregular),
            }
        }
    }

    /// Where words may stand.
    fn start_flowing(&mut self, element: &'static Element, tag: Tag<'a>) -> Result<(), Unfit> {
        match element.kind {
            Kind::Void => {
                if element.kept {
                    self.writer.start(element, &tag);
                }
                return Ok(());
            }
            Kind::Rule => {
                self.close_paragraph()?;
                self.writer.start(element, &tag);
                return Ok(());
            }
            Kind::Block | Kind::Paragraph | Kind::Preformatted | Kind::Table => self.close_paragraph()?,
            Kind::Heading => {
                self.close_paragraph()?;
                self.leave_heading()?;
            }
            Kind::ListItem => self.close_item(|open| open.is("li"))?,
            Kind::Definition => self.close_item(|open| open.element.kind == Kind::Definition)?,
            Kind::Formatting => {
                // These two are not nested: the parser closes the one before.
                let nests = !matches!(element.name, "a" | "nobr");
                if !nests && self.find(false, |open| open.element.name == element.name).is_some() {
                    return Err(Unfit::Irregular);
                }
            }
            Kind::Ordinary => {}
            _ => return Err(Unfit::Irregular),
        }
        self.push(element, tag)
    }

    fn end(&mut self, name: &'a str) -> Result<(), Unfit> {
        let element = element(name);
        loop {
            match (self.place(), element.kind) {
                (Place::Columns, Kind::Columns) => return self.pop_one(),
                (Place::Columns, Kind::Table) => self.pop_to(self.open.len() - 1),
                (Place::Columns, _) => return Err(Unfit::Irregular),
                (_, Kind::Page | Kind::Column | Kind::Columns) => return Ok(()),
                (Place::Page, Kind::Table | Kind::Caption | Kind::TableBody | Kind::Row | Kind::Cell) => return Ok(()),
                (Place::Cell, Kind::Cell) => {
                    if self.cell().is_some_and(|at| self.open[at].is(name)) {
                        self.close_cell();
                    }
                    return Ok(());
                }
                (Place::Cell, Kind::Table | Kind::TableBody | Kind::Row) => {
                    if !self.is_in_table(name) {
                        return Ok(());
                    }
                    self.close_cell();
                }
                (Place::Caption, Kind::Table) => self.close_caption(),
                (Place::Caption, Kind::Caption) => {
                    self.close_caption();
                    return Ok(());
                }
                (Place::Cell | Place::Caption, Kind::Caption | Kind::Cell | Kind::Row | Kind::TableBody) => return Ok(()),
                (Place::Page | Place::Cell | Place::Caption, _) => return self.end_flowing(element, name),
                (Place::Table, Kind::Table) | (Place::TableBody, Kind::TableBody) | (Place::Row, Kind::Row) => {
                    return if self.open.last().is_some_and(|open| open.is(name)) { self.pop_one() } else { Ok(()) };
                }
                (Place::TableBody | Place::Row, Kind::Table) => self.pop_to(self.open.len() - 1),
                (Place::Row, Kind::TableBody) => {
                    if !self.is_in_table(name) {
                        return Ok(());
                    }
                    self.pop_to(self.open.len() - 1);
                }
                // These would put something in front of the table.
                (_, Kind::Paragraph | Kind::Unusual) => return Err(Unfit::Irregular),
                (_, Kind::Void) if element.name == "br" => return Err(Unfit::Irregular),
                _ => return Ok(()),
            }
        }
    }

    /// Where words may stand.
    fn end_flowing(&mut self, element: &'static Element, name: &str) -> Result<(), Unfit> {
        match element.kind {
            Kind::Block | Kind::Preformatted => match self.find(false, |open| open.element.name == element.name) {
                Some(at) => {
                    self.close_implied(None);
                    self.close_through(at)
                }
                None => Ok(()),
            },
            Kind::Paragraph => {
                if self.find(false, |open| open.element.kind == Kind::Paragraph).is_none() {
                    self.push_implied("p")?;
                }
                self.close_paragraph()
            }
            Kind::ListItem | Kind::Definition => {
                let list = element.kind == Kind::ListItem;
                match self.find(list, |open| open.element.name == element.name) {
                    Some(at) => {
                        self.close_implied(Some(element));
                        self.close_through(at)
                    }
                    None => Ok(()),
                }
            }
            Kind::Heading => match self.find(false, |open| open.element.kind == Kind::Heading) {
                Some(_) => {
                    self.close_implied(None);
                    // Whichever heading is the innermost after that.
                    let at = self.open.iter().rposition(|open| open.element.kind == Kind::Heading);
                    at.map_or(Ok(()), |at| self.close_through(at))
                }
                None => Ok(()),
            },
            Kind::Formatting => self.close_formatting(element),
            Kind::Ordinary => self.close_ordinary(name),
            Kind::Void if element.name == "br" => {
                self.writer.bare(element);
                Ok(())
            }
            Kind::Void | Kind::Rule | Kind::RawText => Ok(()),
            _ => Err(Unfit::Irregular),
        }
    }

    /// The innermost such element that is open in this cell, caption or page; an item is not looked for outside its list.
    fn find(&self, in_list: bool, wanted: impl Fn(&Open<'_>) -> bool) -> Option<usize> {
        let mut inner_first = self.open.iter().enumerate().rev();
        let is_border = |open: &Open<'_>| {
            matches!(open.element.kind, Kind::Table | Kind::Cell | Kind::Caption) || (in_list && matches!(open.element.name, "ol" | "ul"))
        };
        inner_first.find(|(_, open)| wanted(open) || is_border(open)).filter(|(_, open)| wanted(open)).map(|(at, _)| at)
    }

    fn close_paragraph(&mut self) -> Result<(), Unfit> {
        self.find(false, |open| open.element.kind == Kind::Paragraph).map_or(Ok(()), |at| self.close_through(at))
    }

    /// A heading directly in a heading ends it. What is not kept between them would not be there the next time.
    fn leave_heading(&mut self) -> Result<(), Unfit> {
        let Some(at) = self.open.iter().rposition(|open| open.element.kept).filter(|at| self.open[*at].element.kind == Kind::Heading) else {
            return Ok(());
        };
        if at + 1 < self.open.len() {
            return Err(Unfit::Irregular);
        }
        self.pop_one()
    }

    /// An item ends the one before it in the same list.
    fn close_item(&mut self, is_item: impl Fn(&Open<'_>) -> bool) -> Result<(), Unfit> {
        let passed = |open: &Open<'_>| !is_special(open.element) || matches!(open.element.name, "address" | "div" | "p");
        if let Some(at) = self.open.iter().rposition(|open| is_item(open) || !passed(open)).filter(|at| is_item(&self.open[*at])) {
            self.close_through(at)?;
        }
        self.close_paragraph()
    }

    /// Elements whose end tags people leave out, from the innermost on.
    fn close_implied(&mut self, but: Option<&Element>) {
        let is_implied = |open: &Open<'_>| {
            matches!(open.element.kind, Kind::Paragraph | Kind::ListItem | Kind::Definition) && but.is_none_or(|but| but.name != open.element.name)
        };
        while self.open.last().is_some_and(is_implied) {
            self.pop_to(self.open.len() - 1);
        }
    }

    fn close_formatting(&mut self, element: &Element) -> Result<(), Unfit> {
        let Some(at) = self.find(false, |open| open.element.name == element.name) else { return Ok(()) };
        if self.open[at..].iter().any(|open| is_special(open.element)) {
            return Err(Unfit::Irregular);
        }
        self.close_through(at)
    }

    fn close_ordinary(&mut self, name: &str) -> Result<(), Unfit> {
        let at = self.open.iter().rposition(|open| open.is(name) || is_special(open.element)).filter(|at| self.open[*at].is(name));
        at.map_or(Ok(()), |at| self.close_through(at))
    }

    /// Closes an element and all inside it. Formatting that ends without its own end tag would begin again behind it.
    fn close_through(&mut self, at: usize) -> Result<(), Unfit> {
        if self.open[at + 1..].iter().any(|open| open.element.kind == Kind::Formatting) {
            return Err(Unfit::Irregular);
        }
        self.pop_to(at);
        Ok(())
    }

    fn cell(&self) -> Option<usize> {
        self.open.iter().rposition(|open| open.element.kind == Kind::Cell)
    }

    /// A cell ends whatever began in it, formatting too.
    fn close_cell(&mut self) {
        if let Some(at) = self.cell() {
            self.pop_to(at);
        }
    }

    fn close_caption(&mut self) {
        if let Some(at) = self.open.iter().rposition(|open| open.element.kind == Kind::Caption) {
            self.pop_to(at);
        }
    }

    /// Whether the innermost table has such an element open, or is it.
    fn is_in_table(&self, name: &str) -> bool {
        let at = self.open.iter().rposition(|open| open.is(name) || open.element.kind == Kind::Table);
        at.is_some_and(|at| self.open[at].is(name))
    }

    fn pop_one(&mut self) -> Result<(), Unfit> {
        self.pop_to(self.open.len().saturating_sub(1));
        Ok(())
    }

    fn pop_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if let Some(open) = self.open.pop().filter(|open| open.element.kept) {
                self.writer.end(open.element);
            }
        }
    }

    fn push(&mut self, element: &'static Element, tag: Tag<'a>) -> Result<(), Unfit> {
        if element.kept {
            self.writer.start(element, &tag);
        }
        self.open(element, tag.name)
    }

    fn push_implied(&mut self, name: &'static str) -> Result<(), Unfit> {
        let element = element(name);
        self.writer.bare(element);
        self.open(element, name)
    }

    fn open(&mut self, element: &'static Element, name: &'a str) -> Result<(), Unfit> {
        let inside = match element.kind {
            Kind::Table => Place::Table,
            Kind::Caption => Place::Caption,
            Kind::Columns => Place::Columns,
            Kind::TableBody => Place::TableBody,
            Kind::Row => Place::Row,
            Kind::Cell => Place::Cell,
            _ => self.place(),
        };
        self.open.push(Open { element, name, inside });
        if self.open.len() > DEPTH_MAX { Err(Unfit::TooDeep) } else { Ok(()) }
    }
}

/// What an end tag of another kind does not reach through: everything but formatting, and elements that mean nothing to a parser.
fn is_special(element: &Element) -> bool {
    !matches!(element.kind, Kind::Formatting | Kind::Ordinary)
}
