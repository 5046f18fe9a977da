"""The table's items, whatever of them is imported first."""

import subprocess
import sys

ORDER = """
from moto import mock_aws
with mock_aws():
    from tests import cloud  # the environment is conftest's
    cloud.create()
    import sys
    for name in [each for each in sys.modules if each.startswith("alma.") and "settings" not in each]:
        del sys.modules[name]
    from alma.access import organisations
    organisations.create("greaves")  # the first request: no item of a document is imported yet
    assert not any(each.startswith("alma.documents") for each in sys.modules)
    from alma.documents import listing
    from alma.documents.records import DocumentStatus
    print(listing.list_documents("greaves", listing.Criteria(status=DocumentStatus.READY)).documents)
"""


def test_an_index_is_known_though_its_items_are_imported_after_the_first_request() -> None:
    code = "import tests.conftest\n" + ORDER

    printed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert (printed.stdout, printed.returncode) == ("[]\n", 0), printed.stderr
