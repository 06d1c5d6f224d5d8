//! The grammar: sections, plugins with their settings, conditions.

use super::reader::{Reader, Way};
use super::section::Section;

impl Reader<'_> {
    pub(super) fn section(&mut self) -> Option<Section> {
        let section = Section::ALL.into_iter().find(|section| self.rest().starts_with(section.name()));
        let Some(section) = section else {
            self.wants("`input`, `filter` or `output`");
            return None;
        };
        self.attempt(|reader| {
            reader.at += section.name().len();
            reader.space();
            reader.block()
        })
        .map(|()| section)
    }

    /// `{ … }` with plugins and conditions in it.
    fn block(&mut self) -> Way {
        self.nested(|reader| {
            let opened = reader.at;
            reader.sign("{")?;
            reader.space();
            while reader.one("a plugin", |reader| reader.branch().or_else(|| reader.plugin())).is_some() {
                reader.space();
            }
            reader.close("}", "{", opened)
        })
    }

    fn name(&mut self) -> Way {
        if self.rest().starts_with(['"', '\'']) {
            return self.string();
        }
        self.run(1, "a name", |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    }

    fn plugin(&mut self) -> Way {
        self.nested(|reader| {
            reader.name()?;
            reader.space();
            let opened = reader.at;
            reader.sign("{")?;
            reader.space();
            let next = |reader: &mut Self| {
                reader.blank().then(|| reader.space())?;
                reader.one("a setting", Self::attribute)
            };
            if reader.one("a setting", Self::attribute).is_some() {
                while reader.attempt(next).is_some() {}
            }
            reader.close("}", "{", opened)
        })
    }

    fn attribute(&mut self) -> Way {
        self.attempt(|reader| {
            reader.name()?;
            reader.arrow()
        })
    }

    /// `=> VALUE`
    fn arrow(&mut self) -> Way {
        self.space();
        self.sign("=>")?;
        self.space();
        self.value()
    }

    fn value(&mut self) -> Way {
        self.one("a value", |reader| {
            let plain = reader.plugin().or_else(|| reader.bareword()).or_else(|| reader.string());
            plain.or_else(|| reader.number()).or_else(|| reader.array()).or_else(|| reader.hash())
        })
    }

    fn array(&mut self) -> Way {
        self.list("[", "]", Self::value)
    }

    fn list(&mut self, open: &str, end: &str, of: fn(&mut Self) -> Way) -> Way {
        self.nested(|reader| {
            let opened = reader.at;
            reader.sign(open)?;
            reader.space();
            if of(reader).is_some() {
                let next = |reader: &mut Self| {
                    reader.space();
                    reader.sign(",")?;
                    reader.space();
                    of(reader)
                };
                while reader.attempt(next).is_some() {}
            }
            reader.close(end, open, opened)
        })
    }

    fn hash(&mut self) -> Way {
        self.nested(|reader| {
            let opened = reader.at;
            reader.sign("{")?;
            reader.space();
            let entry = |reader: &mut Self| {
                reader.space();
                reader
                    .one("a key", |reader| reader.number().or_else(|| reader.bareword()).or_else(|| reader.string()))?;
                reader.arrow()
            };
            while reader.attempt(entry).is_some() {}
            reader.close("}", "{", opened)
        })
    }

    // --- conditions ---

    fn branch(&mut self) -> Way {
        self.attempt(|reader| {
            reader.condition_of("if")?;
            reader.block()?;
            let other = |reader: &mut Self| {
                reader.space();
                reader.word("else")?;
                reader.space();
                reader.condition_of("if")?;
                reader.block()
            };
            while reader.attempt(other).is_some() {}
            reader.attempt(|reader| {
                reader.space();
                reader.word("else")?;
                reader.space();
                reader.block()
            });
            Some(())
        })
    }

    fn condition_of(&mut self, word: &str) -> Way {
        self.word(word)?;
        self.space();
        self.condition()?;
        self.space();
        Some(())
    }

    fn condition(&mut self) -> Way {
        self.nested(|reader| {
            reader.expression()?;
            let more = |reader: &mut Self| {
                reader.space();
                ["and", "or", "xor", "nand"].into_iter().find_map(|word| reader.word(word))?;
                reader.space();
                reader.expression()
            };
            while reader.attempt(more).is_some() {}
            Some(())
        })
    }

    /// `( CONDITION )`
    fn grouped(&mut self) -> Way {
        self.attempt(|reader| {
            let opened = reader.at;
            reader.word("(")?;
            reader.space();
            reader.condition()?;
            reader.close(")", "(", opened)
        })
    }

    fn expression(&mut self) -> Way {
        let negated = |reader: &mut Self| {
            reader.word("!")?;
            reader.space();
            reader.grouped().or_else(|| reader.selector())
        };
        self.grouped().or_else(|| self.attempt(negated)).or_else(|| {
            self.operand()?;
            self.attempt(|reader| {
                reader.space();
                reader.comparison()
            });
            Some(())
        })
    }

    /// An operator and what stands behind it.
    fn comparison(&mut self) -> Way {
        let not_in = |reader: &mut Self| {
            reader.word("not ")?;
            reader.space();
            reader.word("in")
        };
        let compares = self
            .word("in")
            .or_else(|| self.attempt(not_in))
            .or_else(|| ["==", "!=", "<=", ">=", "<", ">"].into_iter().find_map(|sign| self.word(sign)));
        if compares.is_none() {
            ["=~", "!~"].into_iter().find_map(|sign| self.word(sign))?;
        }
        self.space();
        if compares.is_some() {
            self.operand()
        } else {
            self.one("a pattern, as in `/a/`, or a text", |reader| reader.pattern().or_else(|| reader.string()))
        }
    }

    fn operand(&mut self) -> Way {
        let method = |reader: &mut Self| {
            reader.bareword()?;
            reader.space();
            reader.list("(", ")", Self::operand)
        };
        self.one("a field, as in `[name]`, or a value", |reader| {
            let plain = reader.string().or_else(|| reader.number()).or_else(|| reader.selector());
            plain.or_else(|| reader.array()).or_else(|| reader.attempt(method)).or_else(|| reader.pattern())
        })
    }

    /// `[a][b]`
    fn selector(&mut self) -> Way {
        let element = |reader: &mut Self| {
            reader.word("[")?;
            let end = reader.rest().find([']', '[', ',']).filter(|end| *end > 0)?;
            reader.at += end;
            reader.word("]")
        };
        self.attempt(element)?;
        while self.attempt(element).is_some() {}
        Some(())
    }
}
