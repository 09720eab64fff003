//! What shows a store that this program may change it.
//!
//! Invariant: it is never displayed.

use std::fmt;

/// A secret, sent as `Authorization: Bearer …`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text can be no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is a line of characters of ASCII, without spaces")]
pub struct TokenError;

impl Token {
    /// Reads one; spaces and line feeds around it are no part of it.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let is_one = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Self(text.to_owned())) } else { Err(TokenError) }
    }

    /// The header `Authorization`.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
