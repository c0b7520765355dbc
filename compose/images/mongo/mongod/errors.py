"""Errors as MongoDB words and numbers them. No I/O.

Source: MongoDB's error codes. DocumentDB's own errors reach us as SQLSTATEs "M" and four digits to the base 36: the
place of the error in DocumentDB's list, from 0.
"""

from __future__ import annotations

from typing import Any

CODES = {
    "InternalError": 1,
    "BadValue": 2,
    "GraphContainsCycle": 5,
    "UnknownError": 8,
    "FailedToParse": 9,
    "Unauthorized": 13,
    "TypeMismatch": 14,
    "Overflow": 15,
    "ProtocolError": 17,
    "AuthenticationFailed": 18,
    "IllegalOperation": 20,
    "InvalidBSON": 22,
    "AlreadyInitialized": 23,
    "LockTimeout": 24,
    "NamespaceNotFound": 26,
    "IndexNotFound": 27,
    "PathNotViable": 28,
    "RoleNotFound": 31,
    "CannotBackfillArray": 34,
    "ConflictingUpdateOperators": 40,
    "CursorNotFound": 43,
    "NamespaceExists": 48,
    "MaxTimeMSExpired": 50,
    "DollarPrefixedFieldName": 52,
    "InvalidIdField": 53,
    "NotSingleValueField": 54,
    "EmptyFieldName": 56,
    "DottedFieldName": 57,
    "CommandNotFound": 59,
    "ShardKeyNotFound": 61,
    "ImmutableField": 66,
    "CannotCreateIndex": 67,
    "IndexAlreadyExists": 68,
    "InvalidOptions": 72,
    "InvalidNamespace": 73,
    "IndexOptionsConflict": 85,
    "IndexKeySpecsConflict": 86,
    "ShutdownInProgress": 91,
    "WriteConflict": 112,
    "CommandNotSupported": 115,
    "ConflictingOperationInProgress": 117,
    "NamespaceNotSharded": 118,
    "DocumentValidationFailure": 121,
    "ExceededMemoryLimit": 146,
    "ViewDepthLimitExceeded": 165,
    "CommandNotSupportedOnView": 166,
    "OptionNotSupportedOnView": 167,
    "CannotIndexParallelArrays": 171,
    "AmbiguousIndexKeyPattern": 181,
    "InvalidIndexSpecificationOption": 197,
    "QueryFeatureNotAllowed": 224,
    "MaxSubPipelineDepthExceeded": 232,
    "ConversionFailure": 241,
    "OperationNotSupportedInTransaction": 263,
    "MechanismUnavailable": 334,
    "UnsupportedOpQueryCommand": 352,
    "BSONObjectTooLarge": 10334,
    "DuplicateKey": 11000,
    "Location40323": 40323,
    "Location40324": 40324,
    "Location40414": 40414,
    "Location40415": 40415,
    "Location40571": 40571,
    "Location40573": 40573,
}

# DocumentDB's list, as far as its errors have names that MongoDB has too. What is not here becomes an UnknownError with
# the engine's words: mostly what an expression of an aggregation says; MongoDB numbers those one by one (16006, ...).
_ENGINE = {
    0: "InternalError",
    1: "BadValue",
    2: "GraphContainsCycle",
    3: "FailedToParse",
    4: "TypeMismatch",
    5: "Overflow",
    6: "IllegalOperation",
    7: "AlreadyInitialized",
    8: "NamespaceNotFound",
    9: "IndexNotFound",
    10: "PathNotViable",
    11: "RoleNotFound",
    12: "CannotBackfillArray",
    13: "ConflictingUpdateOperators",
    14: "CursorNotFound",
    15: "NamespaceExists",
    16: "DollarPrefixedFieldName",
    17: "InvalidIdField",
    18: "NotSingleValueField",
    19: "EmptyFieldName",
    20: "DottedFieldName",
    21: "ShardKeyNotFound",
    22: "ImmutableField",
    23: "CannotCreateIndex",
    24: "IndexAlreadyExists",
    25: "InvalidOptions",
    26: "InvalidNamespace",
    27: "IndexOptionsConflict",
    28: "IndexKeySpecsConflict",
    30: "CommandNotSupported",
    31: "NamespaceNotSharded",
    32: "ExceededMemoryLimit",
    34: "ViewDepthLimitExceeded",
    35: "CommandNotSupportedOnView",
    36: "OptionNotSupportedOnView",
    37: "AmbiguousIndexKeyPattern",
    38: "InvalidIndexSpecificationOption",
    39: "QueryFeatureNotAllowed",
    40: "MaxSubPipelineDepthExceeded",
    41: "ConversionFailure",
    42: "OperationNotSupportedInTransaction",
    47: "BSONObjectTooLarge",
    48: "DuplicateKey",
    281: "Location40323",
    282: "Location40324",
    295: "Location40414",
    296: "Location40415",
    456: "DocumentValidationFailure",
    536: "LockTimeout",
    537: "MaxTimeMSExpired",
    541: "WriteConflict",
    542: "ConflictingOperationInProgress",
    553: "CannotIndexParallelArrays",
}

# PostgreSQL's own.
_SQLSTATES = {
    "22P02": "FailedToParse",
    "22023": "BadValue",
    "23505": "DuplicateKey",
    "23P01": "DuplicateKey",
    "40001": "WriteConflict",
    "40P01": "WriteConflict",
    "42P01": "NamespaceNotFound",
    "42P07": "NamespaceExists",
    "0A000": "CommandNotSupported",
    "53200": "ExceededMemoryLimit",
    "55P03": "LockTimeout",
    "57014": "MaxTimeMSExpired",
    "57P01": "ShutdownInProgress",
    "57P02": "ShutdownInProgress",
    "57P03": "ShutdownInProgress",
}


class CommandError(Exception):
    """A command's failure, as the client sees it.

    Args:
        name: A name of `CODES`.
        message: errmsg.
        more: Further members of the reply.
    """

    def __init__(self, name: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.more = more

    def reply(self) -> dict[str, Any]:
        """The command's reply."""
        return {"ok": 0.0, "errmsg": self.message, "code": CODES[self.name], "codeName": self.name, **self.more}


def name_of_sqlstate(state: str) -> str:
    """MongoDB's name of a SQLSTATE, the engine's own or PostgreSQL's."""
    if state.startswith("M"):
        return _ENGINE.get(int(state[1:], 36), "UnknownError")
    return _SQLSTATES.get(state, "InternalError")


def sqlstate_of_number(number: int) -> str:
    """The SQLSTATE in PostgreSQL's number for it: five characters of six bits, from "0", the first one lowest."""
    return "".join(chr((number >> 6 * place & 0x3F) + ord("0")) for place in range(5))
