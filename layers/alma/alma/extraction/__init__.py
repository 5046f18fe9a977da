"""From words to fields: document type, candidates, scored readings with a confidence."""
