"""The errors of the CodePipeline API."""

from __future__ import annotations


class PipelineError(Exception):
    """A request that CodePipeline refuses.

    Args:
        code: AWS's name of the error ("InvalidStageDeclarationException").
        message: AWS's words where they are known.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def pipeline_not_found(name: str) -> PipelineError:
    """No such pipeline."""
    return PipelineError(
        "PipelineNotFoundException",
        f"Account '123456789012' does not have a pipeline with name '{name}'",
    )


def execution_not_found(execution_id: str) -> PipelineError:
    """No such execution of the pipeline."""
    return PipelineError(
        "PipelineExecutionNotFoundException", f"The pipeline execution {execution_id} does not exist for this pipeline."
    )


def stage_not_found(stage: str, pipeline: str) -> PipelineError:
    """No such stage in the pipeline."""
    return PipelineError("StageNotFoundException", f"Stage '{stage}' does not exist in the pipeline '{pipeline}'")


def invalid_structure(message: str) -> PipelineError:
    """The structure as a whole is refused."""
    return PipelineError("InvalidStructureException", message)


def invalid_stage(message: str) -> PipelineError:
    """A stage of it is refused."""
    return PipelineError("InvalidStageDeclarationException", message)


def invalid_action(message: str) -> PipelineError:
    """An action of it is refused."""
    return PipelineError("InvalidActionDeclarationException", message)


def not_carried_out(what: str, instead: str = "") -> PipelineError:
    """AWS would take it; the sandbox would have to ignore it."""
    return PipelineError("InvalidStructureException", f"The sandbox does not carry out {what} yet." + instead)
