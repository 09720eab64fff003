-- All triples about one entity: its own, its statements', and those of the references and values that these name.
-- Reads: triples (context, subject, predicate, object).
-- Parameter: entity, an id of Wikidata or Commons such as Q31, or the URI of any entity without angle brackets.
-- Gives: context, subject, predicate, object (texts, N-Triples terms), each triple once, sorted by all four.
WITH own AS (
  SELECT context, subject, predicate, object
  FROM triples
  WHERE context IN (
    concat('<http://www.wikidata.org/entity/', :entity, '>'),
    concat('<https://commons.wikimedia.org/entity/', :entity, '>'),
    concat('<', :entity, '>')
  )
),
shared AS (
  SELECT context, subject, predicate, object
  FROM triples
  WHERE context IN ('<http://wikiba.se/ontology#Reference>', '<http://wikiba.se/ontology#Value>')
),
named AS (
  SELECT shared.context, shared.subject, shared.predicate, shared.object
  FROM (SELECT DISTINCT object FROM own) AS nodes
  INNER JOIN shared ON shared.subject = nodes.object
),
named_by_references AS (
  SELECT shared.context, shared.subject, shared.predicate, shared.object
  FROM (SELECT DISTINCT object FROM named) AS nodes
  INNER JOIN shared ON shared.subject = nodes.object
)
SELECT context, subject, predicate, object FROM own
UNION
SELECT context, subject, predicate, object FROM named
UNION
SELECT context, subject, predicate, object FROM named_by_references
ORDER BY context, subject, predicate, object
