"""The stages of a file, in order.

=============  ===================================  ====================================================
module         what it makes of what                when
=============  ===================================  ====================================================
`ingest`       a file -> pages                      an S3 event; then a message for each page to read
`extract`      a page -> words                      such a message
`split`        a file -> its documents              all pages are read; a message for each document made
`extract`      words -> fields (`llm`: a hosted     all pages of the document are its own
               model's beside; `verification`: an
               old layer's compared)
`finish`       fields -> a document to use          after that, or a failure at any stage
=============  ===================================  ====================================================

`run` is what a message of the page queue has done, stage after stage. Each stage is idempotent: a message may
be delivered twice or at once, and what was cut off is taken up by its own message.
"""
