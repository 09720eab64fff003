-- The revision map of a triples table: the newest revision of each entity of any kind, redirects included.
-- Reads: triples (context, subject, predicate, object).
-- Gives: entity (text, such as Q31), revision (64-bit number), sorted by the letter of the entity, then by its number.
SELECT entity, max(revision) AS revision
FROM (
  SELECT
    replace(split_part(subject, '/', -1), '>', '') AS entity,
    CAST(split_part(object, '"', 2) AS BIGINT) AS revision
  FROM triples
  WHERE predicate = '<http://schema.org/version>'
) AS versions
GROUP BY entity
ORDER BY substr(entity, 1, 1), CAST(substr(entity, 2) AS BIGINT)
