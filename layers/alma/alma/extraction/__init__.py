"""From words to fields: recognition, document type, candidates, readings."""
