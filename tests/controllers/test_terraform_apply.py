"""``[terraform]`` of a sandbox.toml: somebody's own configuration, which is not changed and has no account but ours."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from sandbox.controllers import own_stack, stacks, terraform_apply
from sandbox.errors import SandboxError
from tests.terraform import free_range

CONFIGURATION = Path(__file__).parent / "own_terraform"
SETTINGS = """\
[terraform]
folder = "infra"
variables = { page = "page 1" }
var_files = ["here.tfvars"]

[images]
"999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop:42" = "nginx:1.27"
"shop:41" = "nginx:1.27"

[secrets]
"/shop/greeting" = "hello"

[[ready]]
url = "http://${output.site}/"
within = 120

[[check]]
name = "page"
kind = "http"
url = "http://${output.site}/"
contains = "hello, from above, page 1"

[[check]]
name = "other-output"
kind = "http"
url = "http://${output.sit}/"
"""


# Fargate wants cpu and memory of the task.
REFUSED = """\
resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  container_definitions    = jsonencode([{ name = "web", image = "nginx:1.27" }])
}
"""


def tree(folder):
    """What a folder has: paths, and what is in them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def folder(cli):
    made = cli.folder / "shop"
    shutil.copytree(CONFIGURATION, made / "infra")
    (made / "page.txt").write_text("from above\n")
    (made / "here.tfvars").write_text(f'vpc_cidr = "{free_range()}"\npage = "page 0"\n')
    (made / "sandbox.toml").write_text(SETTINGS)
    return made


@pytest.mark.docker
@pytest.mark.long(110)
def test_it_is_applied_in_a_copy_answers_and_leaves_nothing(cli, folder, provider_settings):
    # What an earlier apply to AWS has left beside it is about another account.
    (folder / "infra" / "terraform.tfstate").write_text("{}")
    before = tree(folder)
    options = ["--speed", "10", "--json", folder.parent / "r.json", "--timelines", folder.parent / "seen"]
    code, _, err = cli.run("test", folder, *options, within=400, TF_CLI_CONFIG_FILE=str(provider_settings))
    assert code == 1, err
    up, page, other = json.loads((folder.parent / "r.json").read_text())["results"]
    assert (up["outcome"], page["outcome"], other["outcome"]) == ("holds", "holds", "fails"), (up, page, other)
    assert "note: output key = (sensitive)" in up["evidence"]
    assert any(one.startswith('note: output site = "shop-') for one in up["evidence"])
    assert any('note: [images] "shop:41" is the image of no container' in one for one in up["evidence"])
    assert "Terraform has no output 'sit'\nnext: outputs: key, site" in "\n".join(other["evidence"])
    assert "aws_ecs_service.web: Creation complete" in err
    (timeline,) = (folder.parent / "seen").glob("*.page.jsonl")
    assert timeline.read_text()
    assert tree(folder) == before
    assert cli.in_engine() == []
    assert list(cli.folder.glob("acs-*/*/terraform")) == []


@pytest.mark.docker
@pytest.mark.long(20)
def test_a_resource_that_is_refused_is_named(cli, folder, provider_settings):
    (folder / "infra" / "main.tf").write_text(REFUSED)
    (folder / "sandbox.toml").write_text('[terraform]\nfolder = "infra"\n')
    code, _, err = cli.run("up", folder, within=200, TF_CLI_CONFIG_FILE=str(provider_settings))
    assert code == 2
    assert f"error: {folder}/infra: terraform apply: main.tf:1: aws_ecs_task_definition.web: creating ECS" in err
    assert "ClientException: Fargate requires that 'cpu' be defined at the task level." in err
    assert cli.in_engine() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('folder = "none"', "[terraform]: there is no folder"),
        ('folder = "."', "has no *.tf"),
        ('folder = "infra"\nvar_files = ["x.tfvars"]', "[terraform]: there is no file"),
        ('folder = "infra"\nvariables = { pgae = "" }', "unknown variable 'pgae'"),
        ('folder = "infra"\nvariables = { page = 2026-01-01 }', "variables.page is a text, number"),
        ('foldr = "infra"', "unknown key 'foldr'"),
        ('folder = "infra"\nwithin = 0', "within is more than 0 seconds"),
        ('folder = "infra"\n[instances]\ntype = "t3.small"', "[instances] is about other stacks"),
        ('folder = "infra"\n[stack]\ncluster = "a"', "[stack] cluster is about other stacks"),
        ('folder = "infra"\n[secrets]\ndb = "x"', '[secrets] "db" is a parameter\'s "/NAME", or an ARN'),
    ],
)
def test_what_cannot_be_meant_is_named_before_anything_is_started(folder, provider_settings, settings, message):
    (folder / "sandbox.toml").write_text(f"[terraform]\n{settings}\n")
    with pytest.raises(SandboxError) as caught:
        stacks.find(f"{folder}/")
    assert message in str(caught.value)


def test_secrets_are_made_by_their_names(folder, provider_settings):
    (folder / "sandbox.toml").write_text(
        '[terraform]\nfolder = "infra"\n[secrets]\n"/a/b" = "1"\n"arn:aws:ssm:r:1:parameter/c" = "2"\n'
        '"arn:aws:secretsmanager:r:1:secret:db-AbCdEf" = "3"\ndb2 = { password = "4" }\n'
    )
    calls = stacks.find(f"{folder}/").calls
    assert [(str(one), one.parameters.get("Name")) for one in calls] == [
        ("ssm.put_parameter", "/a/b"),
        ("ssm.put_parameter", "/c"),
        ("secretsmanager.create_secret", "db"),
        ("secretsmanager.create_secret", "db2"),
    ]


def test_the_copy_has_what_paths_lead_to_and_no_state(folder, tmp_path):
    root = folder / "infra"
    (root / "self").symlink_to(root)
    (root / "gone").symlink_to("nothing")
    (root / ".terraform").mkdir()
    (root / ".terraform" / "provider").write_text("large")
    (root / "terraform.tfstate.backup").write_text("{}")
    (root / "page").symlink_to(folder / "page.txt")
    copy = terraform_apply._copy(root, 1, tmp_path / "copy")
    assert copy == tmp_path / "copy" / "infra"
    files = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert files == {"here.tfvars", "infra/main.tf", "infra/page", "page.txt", "sandbox.toml"}
    assert not (copy / "page").is_symlink()  # whoever writes there does not write into the folder


def test_a_folder_that_is_too_large_is_not_copied(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(terraform_apply, "_MOST_FILES", 2)
    with pytest.raises(SandboxError, match="is too large to be copied") as caught:
        terraform_apply._copy(folder / "infra", 1, tmp_path / "copy")
    assert f"to which paths of {folder}/infra lead" in str(caught.value)


def test_without_terraform_that_is_said(cli, folder):
    programs = cli.folder / "programs"
    programs.mkdir()
    code, out, err = cli.run("up", folder, PATH=str(programs))
    assert (code, out) == (2, "")
    assert "error: Terraform is not installed" in err
    assert "developer.hashicorp.com/terraform/install" in err


def test_init_writes_the_table(cli, folder):
    (folder / "sandbox.toml").unlink()
    code, out, err = cli.run("init", folder)
    assert (code, err) == (0, "")
    assert "for Terraform in infra" in out
    found = own_stack.load(folder).terraform
    assert (found.folder, dict(found.variables)) == ("infra", {})
    written = (folder / "sandbox.toml").read_text()
    assert '# vpc_cidr = "VALUE"\n# page = "VALUE"\n' in written
    assert '# var_files = ["here.tfvars"]' in written
    assert '# "999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop:42" = { build = "." }' in written
