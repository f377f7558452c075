//! Cuts a condition or an operation into words and signs.

use crate::client::problem::Problem;

/// A piece of the language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A word; `quoted` words are never options or keywords.
    Word {
        /// What it stands for.
        bytes: Vec<u8>,
        /// Whether it stood in quotes.
        quoted: bool,
    },
    /// One of `( ) = != < >`.
    Sign(&'static str),
}

const SIGNS: [&str; 6] = ["(", ")", "!=", "=", "<", ">"];

/// The pieces of `text`. `signs` is whether signs end a bare word: in conditions they do, in
/// operations a value may hold them.
pub(super) fn tokens(text: &str, signs: bool) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = SIGNS.into_iter().find(|sign| signs && rest.starts_with(sign));
        if let Some(sign) = sign {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let Some(inner) = rest.strip_prefix('"') {
            let (bytes, after) = quoted(inner).map_err(|why| wrong(text, why))?;
            tokens.push(Token::Word { bytes, quoted: true });
            rest = after;
        } else {
            let ends = |c: char| c.is_whitespace() || (signs && "()=!<>".contains(c));
            let length = rest.find(ends).unwrap_or(rest.len());
            if length == 0 {
                return Err(wrong(text, "a `!` stands alone"));
            }
            let bytes = rest.as_bytes()[..length].to_vec();
            tokens.push(Token::Word { bytes, quoted: false });
            rest = &rest[length..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// A complaint about `text`.
pub(super) fn wrong(text: &str, why: &str) -> Problem {
    Problem::Usage(format!("`{text}`: {why}; see `synod txn --help`"))
}

/// The content of a quoted word, after its opening quote, and what follows the closing one.
fn quoted(text: &str) -> Result<(Vec<u8>, &str), &'static str> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        let stop = rest.find(['"', '\\']).ok_or("a quote is not closed")?;
        bytes.extend_from_slice(&rest.as_bytes()[..stop]);
        if rest[stop..].starts_with('"') {
            return Ok((bytes, &rest[stop + 1..]));
        }
        let (byte, after) = escaped(&rest[stop + 1..])?;
        bytes.push(byte);
        rest = after;
    }
}

/// The byte that stands behind a backslash, and what follows.
fn escaped(text: &str) -> Result<(u8, &str), &'static str> {
    let simple = match text.as_bytes().first() {
        Some(b'n') => Some(b'\n'),
        Some(b't') => Some(b'\t'),
        Some(&byte @ (b'"' | b'\\')) => Some(byte),
        _ => None,
    };
    if let Some(byte) = simple {
        return Ok((byte, &text[1..]));
    }
    let digits = text.strip_prefix('x').and_then(|text| text.get(..2));
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.map(|byte| (byte, &text[3..])).ok_or("after a backslash stands one of \" \\ n t xNN")
}
