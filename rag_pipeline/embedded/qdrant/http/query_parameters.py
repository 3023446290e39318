"""Parameters of the query string that many endpoints share: checked as Qdrant does, whether or not they matter here."""

from starlette.datastructures import QueryParams

from rag_pipeline.embedded.qdrant.problems import RestError, ValidationError

_BOOLEANS = ("wait", "anonymize", "per_collection")
_ORDERINGS = ("weak", "medium", "strong")
_CONSISTENCIES = ("majority", "quorum", "all")


class QueryStringError(RestError):
    """A parameter of the query string is not of its type."""

    status = 400

    def __init__(self, what: str) -> None:
        super().__init__(f"Format error in query parameters: {what}")


def check_parameters(parameters: QueryParams) -> None:
    """Nothing, when the parameters that Qdrant knows have values that it accepts."""
    for name in _BOOLEANS:
        if parameters.get(name, "true") not in {"true", "false"}:
            raise QueryStringError(f"{name}: provided string was not `true` or `false`")
    for name in ("timeout", "details_level"):
        if name in parameters:
            whole_number(parameters[name], name)
    if whole_number(parameters.get("timeout", "1"), "timeout") < 1:
        raise ValidationError("timeout: value 0 invalid, must be 1 or larger", where="query parameters")
    if parameters.get("ordering", "weak") not in _ORDERINGS:
        raise QueryStringError(f"ordering must be one of {', '.join(_ORDERINGS)}")
    consistency = parameters.get("consistency", "all")
    if consistency not in _CONSISTENCIES and whole_number(consistency, "consistency") < 1:
        raise ValidationError("consistency: value 0 invalid, must be 1 or larger", where="query parameters")


def whole_number(spelled: str, name: str) -> int:
    """The number, which is not negative."""
    if not (spelled.isascii() and spelled.isdecimal()):
        raise QueryStringError(f"{name}: invalid digit found in string")
    return int(spelled)
