-- What is in a triples table.
-- Reads: triples (context, subject, predicate, object).
-- Gives: name (text), count (64-bit number), sorted by name. Redirects are counted with the entities of their kind, too.
-- References and values are counted once however many statements share them, all else triple by triple.
SELECT
  coalesce(name, 'triples') AS name,
  CASE WHEN name IN ('references', 'values') THEN count(node) ELSE sum(rows_of_node) END AS count
FROM (
  SELECT name, node, count(*) AS rows_of_node
  FROM (
    SELECT
      CASE
        WHEN context = '<http://wikiba.se/ontology#Reference>' THEN 'references'
        WHEN context = '<http://wikiba.se/ontology#Value>' THEN 'values'
        WHEN context = '<http://wikiba.se/ontology#Dump>' THEN
          CASE WHEN predicate = '<http://schema.org/dateModified>' THEN 'dump headers' ELSE 'other triples' END
        WHEN predicate = '<http://schema.org/version>' THEN
          CASE substr(split_part(subject, '/', -1), 1, 1)
            WHEN 'Q' THEN 'items'
            WHEN 'P' THEN 'properties'
            WHEN 'L' THEN 'lexemes'
            WHEN 'M' THEN 'mediainfo'
            ELSE 'other triples'
          END
        WHEN predicate = '<http://www.w3.org/2002/07/owl#sameAs>' THEN 'redirects'
        WHEN predicate = '<http://wikiba.se/ontology#rank>' THEN 'statements'
        WHEN predicate = '<http://schema.org/isPartOf>' THEN 'sitelinks'
        WHEN predicate = '<http://www.w3.org/2000/01/rdf-schema#label>' THEN 'labels'
        WHEN predicate = '<http://schema.org/description>' THEN 'descriptions'
        WHEN predicate = '<http://www.w3.org/2004/02/skos/core#altLabel>' THEN 'aliases'
        ELSE 'other triples'
      END AS name,
      CASE
        WHEN context IN ('<http://wikiba.se/ontology#Reference>', '<http://wikiba.se/ontology#Value>') THEN subject
      END AS node
    FROM triples
  ) AS named
  GROUP BY name, node
) AS counted
GROUP BY ROLLUP (name)
ORDER BY name
