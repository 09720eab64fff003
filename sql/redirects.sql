-- The redirects in a triples table.
-- Reads: triples (context, subject, predicate, object).
-- Gives: from_entity, to_entity (texts, such as Q31), each redirect once, sorted by the letter of from_entity, then by
-- its number.
SELECT from_entity, to_entity
FROM (
  SELECT DISTINCT
    replace(split_part(subject, '/', -1), '>', '') AS from_entity,
    replace(split_part(object, '/', -1), '>', '') AS to_entity
  FROM triples
  WHERE predicate = '<http://www.w3.org/2002/07/owl#sameAs>'
) AS pairs
ORDER BY substr(from_entity, 1, 1), CAST(substr(from_entity, 2) AS BIGINT), to_entity
