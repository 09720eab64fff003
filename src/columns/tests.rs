//! Tables written are tables read; files of others and damaged files give rows or errors.

use arrow_array::{Int32Array, LargeStringArray, StringViewArray};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::storage::put;

const FIELDS: &[Field] = &[
    Field { name: "few", kind: Type::FewTexts },
    Field { name: "number", kind: Type::Int64 },
    Field { name: "text", kind: Type::Text },
    Field { name: "flag", kind: Type::Flag },
];
const MAP: &[Field] = &[Field { name: "entity", kind: Type::Text }, Field { name: "revision", kind: Type::Int64 }];

type Row = (i8, i64, String, bool);

fn encoded(rows: &[Row], batch: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(FIELDS).unwrap();
    let mut bytes = Vec::new();
    for rows in rows.chunks(batch) {
        let few = Column::FewTexts(vec!["Q".into(), "P".into()], rows.iter().map(|row| row.0).collect());
        let numbers = Column::Int64(rows.iter().map(|row| row.1).collect());
        let texts = Column::Text(rows.iter().map(|row| &row.2).collect());
        let flags = Column::Flag(rows.iter().map(|row| row.3).collect());
        encoder.push(vec![few, numbers, texts, flags]).unwrap();
        bytes.append(&mut encoder.take());
    }
    bytes.append(&mut encoder.finish().unwrap());
    bytes
}

fn blob(bytes: Vec<u8>) -> Blob {
    let location = Location::memory().join("file.parquet");
    put(&location, Bytes::from(bytes)).unwrap();
    Blob::open(&location).unwrap()
}

fn decoded(bytes: Vec<u8>) -> Result<Vec<Row>, ColumnsError> {
    let mut rows = Vec::new();
    for columns in Reader::open(blob(bytes), FIELDS)? {
        let [Column::FewTexts(few, index), Column::Int64(numbers), Column::Text(texts), Column::Flag(flags)] =
            &columns?[..]
        else {
            panic!("other types than asked for")
        };
        for (at, text) in texts.iter().enumerate() {
            let few = i8::from(few[index[at] as usize] == "P");
            rows.push((few, numbers[at], text.to_owned(), flags[at]));
        }
    }
    Ok(rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec((0..2_i8, any::<i64>(), ".{0,9}", any::<bool>()), 0..300),
        batch in 1..200_usize,
    ) {
        prop_assert_eq!(decoded(encoded(&rows, batch)).unwrap(), rows);
    }

    /// Damaged files give an error or some rows; never a panic.
    #[test]
    fn damaged_files_are_no_trouble(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let rows: Vec<Row> = (0..500).map(|at| ((at % 2) as i8, at, format!("Q{at}"), at % 7 == 0)).collect();
        let mut bytes = encoded(&rows, 100);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = decoded(bytes);
    }
}

fn written_by_others(entities: ArrayRef, revisions: ArrayRef) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable([("entity", entities, true), ("revision", revisions, true)]);
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn files_of_others() {
    let texts = ["Q1", "P2"];
    let entities: [ArrayRef; 4] = [
        Arc::new(StringArray::from_iter_values(texts)),
        Arc::new(LargeStringArray::from_iter_values(texts)),
        Arc::new(StringViewArray::from_iter_values(texts)),
        Arc::new(DictionaryArray::<Int8Type>::from_iter(texts)),
    ];
    let revisions: [ArrayRef; 2] = [Arc::new(Int64Array::from(vec![7, 8])), Arc::new(Int32Array::from(vec![7, 8]))];
    for entities in &entities {
        for revisions in &revisions {
            let file = written_by_others(entities.clone(), revisions.clone());
            let columns = Reader::open(blob(file), MAP).unwrap().next().unwrap().unwrap();
            let [Column::Text(entities), Column::Int64(revisions)] = &columns[..] else { panic!() };
            assert!(entities.iter().eq(texts) && revisions == &[7, 8]);
        }
    }
}

#[test]
fn what_is_no_such_table() {
    let entities = || Arc::new(StringArray::from_iter_values(["Q1", "P2"])) as ArrayRef;
    let rows: [(Vec<u8>, &str); 4] = [
        (b"PAR1 or so".to_vec(), "memory:/file.parquet is no readable Parquet file"),
        (encoded(&[], 1), "memory:/file.parquet has no column `entity`"),
        (written_by_others(entities(), entities()), "the column `revision` of memory:/file.parquet is of type Utf8"),
        (
            written_by_others(entities(), Arc::new(Int64Array::from(vec![Some(1), None]))),
            "row 2 of memory:/file.parquet has no `revision`",
        ),
    ];
    for (bytes, expected) in rows {
        let got = Reader::open(blob(bytes), MAP).and_then(|reader| reader.collect::<Result<Vec<_>, _>>());
        assert_eq!(got.unwrap_err().to_string(), expected);
    }
}
