"""Start the emulator of AWS; run by the Python of .venv-deploy, which is the template's.

Its import of an OpenAPI document leaves out `x-amazon-apigateway-any-method`, which is what SAM makes of
`Method: ANY` and how all of the template's paths are declared; it is imported as the method ANY here.
"""

import sys
from typing import Any

from ministack.app import main  # type: ignore[import-not-found,unused-ignore]
from ministack.services import apigateway_v1  # type: ignore[import-not-found,unused-ignore]

ANY = "x-amazon-apigateway-any-method"
import_operation = apigateway_v1._import_operation


def import_any(api: str, resource: str, method: str, *rest: Any) -> None:
    import_operation(api, resource, "ANY" if method.lower() == ANY else method, *rest)


if __name__ == "__main__":
    apigateway_v1._OPENAPI_HTTP_METHODS.add(ANY)
    apigateway_v1._import_operation = import_any
    sys.exit(main())
