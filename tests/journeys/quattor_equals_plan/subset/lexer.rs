//! Words, texts and signs.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// Signs that have a meaning somewhere in the subset.
const SIGNS: &str = "=?;(),{}[]:!&|+";

/// The tokens of a template, with what a fault is called by.
pub(super) struct Tokens {
    name: String,
    all: Vec<(usize, Token)>,
    at: usize,
}

impl Tokens {
    pub(super) fn of(name: &str, text: &str) -> Result<Self, String> {
        let (mut all, mut at) = (Vec::new(), 0);
        // Where the line after this one really begins, behind the lines of a long text.
        let mut behind = None;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let line = text[..at].matches('\n').count() + 1;
            if c == '\n' {
                at = behind.take().unwrap_or(at + 1);
                continue;
            }
            if c.is_whitespace() {
                at += c.len_utf8();
                continue;
            }
            if c == '#' {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            // `@documentation{ … }`, in plain words.
            if c == '@' {
                at +=
                    rest.find('}').ok_or_else(|| format!("{name}:{line}: a note without end"))? + 1;
                continue;
            }
            if let Some(lines) = rest.strip_prefix("<<") {
                let (value, marker, end) =
                    lines_of(lines).ok_or_else(|| format!("{name}:{line}: lines without end"))?;
                behind = Some(at + 2 + end);
                all.push((line, Token::Text(value)));
                at += 2 + marker;
                continue;
            }
            let read = match c {
                '\'' => single(rest),
                '"' => double(rest),
                c if c.is_ascii_alphanumeric() || c == '_' => Some(word(rest)),
                c if SIGNS.contains(c) => Some((Token::Sign(c), 1)),
                _ => None,
            };
            let (token, length) =
                read.ok_or_else(|| format!("{name}:{line}: not of the subset: {c}"))?;
            all.push((line, token));
            at += length;
        }
        Ok(Self { name: name.to_owned(), all, at: 0 })
    }

    /// A fault here.
    pub(super) fn fault(&self, what: &str) -> String {
        let line = self.all.get(self.at.saturating_sub(1)).map_or(0, |(line, _)| *line);
        format!("{}:{line}: {what}", self.name)
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.all.get(self.at).map(|(_, token)| token)
    }

    /// The one after the next.
    pub(super) fn beyond(&self) -> Option<&Token> {
        self.all.get(self.at + 1).map(|(_, token)| token)
    }

    pub(super) fn next(&mut self) -> Result<Token, String> {
        let token =
            self.peek().cloned().ok_or_else(|| self.fault("the template ends too early"))?;
        self.at += 1;
        Ok(token)
    }

    /// Takes the sign if it is next.
    pub(super) fn take(&mut self, sign: char) -> bool {
        let is = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is);
        is
    }

    pub(super) fn sign(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.fault(&format!("after this belongs {sign}")))
        }
    }

    pub(super) fn word(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(self.fault(&format!("{other:?} where a word belongs"))),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => Err(self.fault(&format!("{other:?} where a text belongs"))),
        }
    }

    /// Everything up to a place where no bracket is open and `ends` says so.
    pub(super) fn until(&mut self, ends: fn(&Self) -> bool) -> Result<Vec<Token>, String> {
        let (mut passed, mut open) = (Vec::new(), 0_usize);
        while open > 0 || !ends(self) {
            let token = self.next()?;
            match token {
                Token::Sign('(' | '[' | '{') => open += 1,
                Token::Sign(')' | ']' | '}') => {
                    open = open.checked_sub(1).ok_or_else(|| self.fault("nothing is open"))?;
                }
                _ => {}
            }
            passed.push(token);
        }
        Ok(passed)
    }
}

/// The lines after `<<MARKER;`, with the length of the marker and where they and it end.
fn lines_of(text: &str) -> Option<(String, usize, usize)> {
    let marker: String =
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let body = text.find('\n')? + 1;
    let closing = format!("\n{marker}\n");
    // The end of the line before counts as the one in front of the marker.
    let length = text[body - 1..].find(&closing)?;
    Some((text[body..body + length].to_owned(), marker.len(), body + length + marker.len() + 1))
}

fn word(text: &str) -> (Token, usize) {
    let good = |c: &char| c.is_ascii_alphanumeric() || "_-./+".contains(*c);
    let word: String = text.chars().take_while(good).collect();
    let length = word.len();
    (Token::Word(word), length)
}

/// A text in single quotes at the beginning, with its length there.
fn single(text: &str) -> Option<(Token, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            value.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Some((Token::Text(value), at + 1));
        }
    }
    None
}

/// The same in double quotes.
fn double(text: &str) -> Option<(Token, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Token::Text(value), at + 1)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}
