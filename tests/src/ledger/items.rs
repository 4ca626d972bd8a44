//! What a Rust file defines: items, members of types, and tests. Just enough grammar for that.

use std::collections::BTreeSet;

use crate::house::tokens::{Token, is_word, tokens, tokens_outside_tests};

/// What can be cited of one file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Items {
    /// Functions, methods, types, constants, modules and macros, by their own name.
    names: BTreeSet<String>,
    /// `Type::member`: methods, associated constants and types, variants, fields.
    members: BTreeSet<String>,
}

impl Items {
    /// Reads a file. What only exists for its unit tests is left out.
    pub fn of(text: &str) -> Self {
        let mut reader = Reader { tokens: tokens_outside_tests(text), ..Reader::default() };
        reader.read();
        reader.items
    }

    /// Whether `name`, or `Type::member`, is defined here.
    pub fn define(&self, name: &str) -> bool {
        self.names.contains(name) || self.members.contains(name)
    }
}

/// The tests of a file, those inside macros like `proptest!` included. An ignored one is none.
pub fn tests(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    let (mut is_test, mut is_ignored) = (false, false);
    let mut index = 0;
    while index < tokens.len() {
        match tokens[index].text {
            "#" => {
                let attribute = attribute(&tokens, index);
                is_test |= attribute.name == Some("test");
                is_ignored |= attribute.name == Some("ignore");
                index = attribute.end;
                continue;
            }
            "fn" => {
                if let Some(name) = tokens.get(index + 1).filter(|_| is_test && !is_ignored) {
                    found.insert(name.text.to_owned());
                }
                (is_test, is_ignored) = (false, false);
            }
            ";" | "{" | "}" => (is_test, is_ignored) = (false, false),
            _ => {}
        }
        index += 1;
    }
    found
}

struct Attribute<'text> {
    /// The last segment of its path: `test` of `tokio::test(flavor = …)`.
    name: Option<&'text str>,
    end: usize,
}

/// The attribute that begins with the `#` at `start`.
fn attribute<'text>(tokens: &[Token<'text>], start: usize) -> Attribute<'text> {
    let (mut depth, mut name, mut in_path) = (0_usize, None, true);
    for (index, token) in tokens.iter().enumerate().skip(start + 1) {
        match token.text {
            "[" => depth += 1,
            "]" if depth <= 1 => return Attribute { name, end: index + 1 },
            "]" => depth -= 1,
            "!" if depth == 0 => {}
            _ if depth == 0 => break,
            "::" => {}
            text if in_path && is_word(text) => name = Some(text),
            _ => in_path = false,
        }
    }
    Attribute { name: None, end: start + 1 }
}

/// A block whose members belong to a type.
#[derive(Debug)]
struct Owner<'text> {
    name: &'text str,
    kind: &'text str,
    depth: usize,
}

#[derive(Debug, Default)]
struct Reader<'text> {
    tokens: Vec<Token<'text>>,
    owners: Vec<Owner<'text>>,
    depth: usize,
    items: Items,
}

impl<'text> Reader<'text> {
    fn read(&mut self) {
        let mut index = 0;
        while index < self.tokens.len() {
            match self.tokens[index].text {
                "#" if matches!(self.text(index + 1), "[" | "!") => {
                    index = attribute(&self.tokens, index).end;
                    continue;
                }
                "{" => self.depth += 1,
                "}" => self.close(),
                "impl" if self.begins_an_item(index) => self.implementation(index),
                kind @ ("struct" | "enum" | "union" | "trait") => self.definition(index, kind),
                "fn" | "type" | "const" | "static" | "mod" => self.item(index),
                "macro_rules" => self.named(self.text(index + 2)),
                word if is_word(word) => self.variant_or_field(index),
                _ => {}
            }
            index += 1;
        }
    }

    fn text(&self, index: usize) -> &'text str {
        self.tokens.get(index).map_or("", |token| token.text)
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.owners.pop_if(|owner| owner.depth > self.depth);
    }

    /// `impl Trait` as a type stands behind other tokens.
    fn begins_an_item(&self, index: usize) -> bool {
        index == 0 || matches!(self.text(index - 1), "}" | ";" | "{" | "]" | "unsafe" | "default")
    }

    /// `impl<T> Trait<U> for a::Type<T> where … {`: the block belongs to `Type`.
    fn implementation(&mut self, start: usize) {
        let (mut angles, mut name) = (0_i32, None);
        for index in start + 1..self.tokens.len() {
            match self.text(index) {
                "{" | "where" => break,
                "<" => angles += 1,
                // The arrow of a function type closes nothing.
                ">" if self.text(index - 1) != "-" => angles -= 1,
                "for" if angles == 0 && self.text(index + 1) != "<" => name = None,
                text if angles == 0 && is_word(text) && text != "dyn" => name = Some(text),
                _ => {}
            }
        }
        if let Some(name) = name {
            self.own(name, "impl");
        }
    }

    fn definition(&mut self, index: usize, kind: &'text str) {
        let name = self.text(index + 1);
        self.named(name);
        let rest = self.tokens[index..].iter().map(|token| token.text);
        if rest.into_iter().find(|text| matches!(*text, "{" | ";" | "(")) == Some("{") {
            self.own(name, kind);
        }
    }

    /// The next block is that of `name`.
    fn own(&mut self, name: &'text str, kind: &'text str) {
        self.owners.push(Owner { name, kind, depth: self.depth + 1 });
    }

    fn item(&mut self, index: usize) {
        let after = self.text(index + 1);
        let name = if after == "mut" { self.text(index + 2) } else { after };
        if is_word(name) && !matches!(name, "fn" | "unsafe" | "async" | "extern") {
            self.named(name);
            self.member(name);
        }
    }

    fn named(&mut self, name: &str) {
        if is_word(name) {
            self.items.names.insert(name.to_owned());
        }
    }

    fn member(&mut self, name: &str) {
        if let Some(owner) = self.owners.last().filter(|owner| owner.depth == self.depth) {
            self.items.members.insert(format!("{}::{name}", owner.name));
        }
    }

    fn variant_or_field(&mut self, index: usize) {
        let owner = self.owners.last().filter(|owner| owner.depth == self.depth);
        let is_list = owner.is_some_and(|owner| matches!(owner.kind, "struct" | "enum" | "union"));
        let before = index.checked_sub(1).map_or("", |before| self.text(before));
        let begins = matches!(before, "{" | "," | "]" | "}" | ")" | "pub");
        if is_list && begins && self.text(index) != "pub" {
            self.member(self.text(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        //! fn prose() {}
        pub const fn plain() -> u8 { let not_an_item = "fn text() {}"; 0 }
        pub(crate) const LIMIT: usize = 3;
        static mut COUNT: u8 = 0;
        #[derive(Debug)]
        pub enum Shape { #[default] Round, Square(u8), Odd { corners: u8 } }
        struct Plain;
        struct Pair(u8, u8);
        struct Point { pub x: u8, y: u8 }
        trait Draw { type Ink; fn draw(&self) where Self: Sized {} }
        impl<T: Fn() -> u8> Draw for crate::shape::Holder<'_, T> where T: Clone {
            type Ink = u8;
            fn draw(&self) { fn inner() {} }
        }
        impl Shape {
            pub async fn area(&self, by: impl Fn()) -> impl Sized { }
            const SIDES: u8 = 4;
        }
        fn last() {}
        macro_rules! bail { () => {} }
        #[cfg(test)]
        mod tests { fn only_for_tests() {} }
    "#;

    #[test]
    fn items_are_known_by_their_name() {
        let items = Items::of(FILE);
        for name in [
            "plain", "LIMIT", "COUNT", "Shape", "Plain", "Pair", "Point", "Draw", "draw", "inner",
            "area", "last", "bail",
        ] {
            assert!(items.define(name), "{name}: {items:?}");
        }
        for name in ["prose", "text", "not_an_item", "fn", "Holder", "only_for_tests", "Round"] {
            assert!(!items.define(name), "{name}: {items:?}");
        }
    }

    #[test]
    fn members_are_known_by_the_type_they_belong_to() {
        let items = Items::of(FILE);
        for name in [
            "Shape::Round",
            "Shape::Square",
            "Shape::Odd",
            "Shape::area",
            "Shape::SIDES",
            "Point::x",
            "Point::y",
            "Draw::draw",
            "Draw::Ink",
            "Holder::draw",
        ] {
            assert!(items.define(name), "{name}: {items:?}");
        }
        for name in ["Plain::draw", "Holder::inner", "Shape::last", "Point::area", "Pair::Point"] {
            assert!(!items.define(name), "{name}: {items:?}");
        }
    }

    #[test]
    fn tests_are_functions_with_a_test_attribute() {
        let text = r#"
            #[test]
            fn plain() {}
            #[tokio::test(flavor = "current_thread")]
            async fn asynchronous() {}
            #[test]
            #[should_panic(expected = "test")]
            fn panicking() {}
            proptest! {
                #![proptest_config(cases())]
                #[test]
                fn property(x in any::<u8>()) { }
            }
            #[cfg(test)]
            fn conditional() {}
            #[test]
            #[ignore = "slow"]
            fn ignored() {}
            fn helper() {}
        "#;
        let found = tests(text);
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["asynchronous", "panicking", "plain", "property"]);
    }
}
