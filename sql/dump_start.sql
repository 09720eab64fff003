-- When the dumps in a triples table were begun: the dates of all their headers.
-- Reads: triples (context, subject, predicate, object).
-- Gives: date_modified (text, as in the dump), each date once, the oldest first: the first row is the dump start.
SELECT DISTINCT split_part(object, '"', 2) AS date_modified
FROM triples
WHERE context = '<http://wikiba.se/ontology#Dump>'
  AND predicate = '<http://schema.org/dateModified>'
ORDER BY date_modified
