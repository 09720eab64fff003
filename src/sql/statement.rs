//! The text of a statement as the engine takes it.
//!
//! Promise: one statement, with the values of all its parameters in place.
//! Invariant: a value is a text in the statement, whatever characters it has; it never becomes SQL.
//! Not here: what the statement means.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::sql::SqlError;
use crate::sql::engine::words;

/// Parses a text that is one statement. Errors: `Statement`, `NotOne`, `NoValue`, `NoParameter`.
pub fn parse(text: &str, values: &BTreeMap<String, String>) -> Result<Statement, SqlError> {
    let wrong = |error: DataFusionError| SqlError::Statement(words(&error));
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| wrong(ParserError::from(error).into()))?;
    let tokens = filled(tokens, values)?;
    let mut parser = DFParserBuilder::new(tokens).build().map_err(wrong)?;
    let mut statements = parser.parse_statements().map_err(wrong)?;
    let count = statements.len();
    statements.pop_front().filter(|_| count == 1).ok_or(SqlError::NotOne(count))
}

/// The tokens with values in the places of parameters. To fill in the parsed statement would need code for every form that
/// statements can have: minutes to compile.
fn filled(tokens: Vec<TokenWithSpan>, values: &BTreeMap<String, String>) -> Result<Vec<TokenWithSpan>, SqlError> {
    let mut unused: BTreeSet<_> = values.keys().map(String::as_str).collect();
    let mut filled: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(mut token) = tokens.next() {
        let after_value = filled.last().is_some_and(|before| ends_value(&before.token));
        let name = match (&token.token, tokens.peek().map(|next| &next.token)) {
            (Token::Placeholder(name), _) => Some(name.trim_start_matches('$').to_owned()),
            (Token::Colon, Some(Token::Word(word))) if !after_value => {
                let name = word.value.clone();
                tokens.next();
                Some(name)
            }
            _ => None,
        };
        if let Some(name) = name {
            let value = values.get(&name).ok_or_else(|| SqlError::NoValue(name.clone()))?;
            token.token = Token::SingleQuotedString(value.clone());
            unused.remove(name.as_str());
        }
        filled.push(token);
    }
    match unused.first() {
        Some(name) => Err(SqlError::NoParameter((*name).to_owned())),
        None => Ok(filled),
    }
}

/// Whether a colon right after this token is one between two values, as in `list[1:n]`.
fn ends_value(token: &Token) -> bool {
    matches!(token, Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen | Token::RBracket)
}
