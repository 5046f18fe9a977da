"""What a document is made of: words, boxes, pages, fields, schemas, examples; no storage."""
