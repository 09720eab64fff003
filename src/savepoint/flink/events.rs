//! Buffered input events, as upstream's `InputEventSerializer` writes them.
//!
//! Promise: [`parse`] gives all events of a list, or the place and the rule that is broken.
//! Rules: upstream's `InputEventSerializer` (versions 1 and 2) and `SerializerHelper`; Flink's list state, whose elements are
//! parted by commas.
//! Invariant: pure.

use crate::event::{Change, EventInfo, InputEvent, ReconcileAction};
use crate::savepoint::flink::java::{Input, Parsed};

/// The elements of a list state's value.
pub fn parse(input: &mut Input<'_>) -> Parsed<Vec<InputEvent>> {
    let mut events = vec![event(input)?];
    while !input.rest().is_empty() {
        let comma = input.u8()?;
        if comma != b',' {
            return Err(input.back(1, format!("{comma} instead of a comma between two events")));
        }
        events.push(event(input)?);
    }
    Ok(events)
}

fn event(input: &mut Input<'_>) -> Parsed<InputEvent> {
    let item = input.utf()?;
    let (event_time, ingestion_time, revision) = (input.i64()?, input.i64()?, input.i64()?);
    let original = EventInfo {
        timestamp: input.i64()?,
        id: optional(input, Input::utf)?,
        domain: optional(input, Input::utf)?,
        stream: input.utf()?,
        request_id: optional(input, Input::utf)?,
        schema: input.utf()?,
    };
    Ok(InputEvent { item, event_time, ingestion_time, revision, change: change(input)?, original })
}

fn change(input: &mut Input<'_>) -> Parsed<Change> {
    Ok(match input.utf()?.as_str() {
        "RevCreate" => Change::RevCreate { parent_revision: optional(input, Input::i64)? },
        "PageDelete" => Change::PageDelete,
        "PageUndelete" => Change::PageUndelete,
        "ReconcileInputEvent" => Change::ReconcileInputEvent { action: action(input)? },
        name => return Err(input.broken(format!("an event of the unknown type `{}`", name.escape_debug()))),
    })
}

fn action(input: &mut Input<'_>) -> Parsed<ReconcileAction> {
    match input.utf()?.as_str() {
        "ReconcileCreation" => Ok(ReconcileAction::ReconcileCreation),
        "ReconcileDeletion" => Ok(ReconcileAction::ReconcileDeletion),
        name => Err(input.broken(format!("a reconciliation of the unknown kind `{}`", name.escape_debug()))),
    }
}

fn optional<'a, T>(input: &mut Input<'a>, read: impl Fn(&mut Input<'a>) -> Parsed<T>) -> Parsed<Option<T>> {
    if input.flag()? { read(input).map(Some) } else { Ok(None) }
}
