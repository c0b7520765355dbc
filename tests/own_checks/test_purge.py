"""The check ``purge`` on the stack ``apcu``, by a sandbox.toml beside its stack.yaml: it is brought up once."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from sandbox.paths import share

# Each asks whether every machine has the price that was just set, where its own APCu has kept the one before.
CHECK = """
[[check]]
name = "{name}"
kind = "purge"
url = "http://shop.example.com/product?id=1"
group = "shop"
change = "PYTHON price.py {price}"
contains = '"price":{price}'
"""
CLEAR = (
    "docker exec $(docker ps --quiet --filter label=com.amazonaws.ecs.container-name=nginx) "
    "curl --fail --silent --show-error http://127.0.0.1/purge"
)
COMMANDS = f"commands = ['{CLEAR}']\n"
CHECKS = "".join(
    (
        CHECK.format(name="shows-nothing", price=1000) + COMMANDS,
        CHECK.format(name="by-group", price=901) + COMMANDS,
        CHECK.format(name="by-https", price=909).replace("http://shop", "https://secure") + COMMANDS,
        CHECK.format(name="uncertified", price=910).replace("http://shop", "https://shop") + COMMANDS,
        CHECK.format(name="by-nobodys-tag", price=902) + COMMANDS + 'targets = { "tag:Role" = "nobody" }\n',
        CHECK.format(name="by-function", price=903) + 'send = "PYTHON invoke.py"\n',
        CHECK.format(name="one-of-two", price=904) + 'send = "PYTHON one.py"\n',
        CHECK.format(name="clears-nothing", price=905) + "commands = ['true']\n",
        CHECK.format(name="gone-machine", price=906) + COMMANDS + 'instances = ["i-00000000000000000"]\n',
        CHECK.format(name="no-group", price=907).replace('"shop"', '"shp"') + COMMANDS,
        CHECK.format(name="no-change", price=908).replace("price.py", "none.py") + COMMANDS,
    )
)
OUTCOMES = {
    "up": "holds",
    "shows-nothing": "fails",
    "by-group": "holds",
    "by-https": "holds",
    "uncertified": "fails",
    "by-nobodys-tag": "fails",
    "by-function": "holds",
    "one-of-two": "fails",
    "clears-nothing": "fails",
    "gone-machine": "fails",
    "no-group": "fails",
    "no-change": "fails",
}
# The same site by a name that is there over HTTPS alone: the load balancer ends TLS, and machines look at what it says.
SECURE = """\
  - acm.request_certificate: {DomainName: secure.example.com}
    as: certificate
  - elbv2.create_listener:
      LoadBalancerArn: ${balancer.LoadBalancers.0.LoadBalancerArn}
      Protocol: HTTPS
      Port: 443
      Certificates: [{CertificateArn: "${certificate.CertificateArn}"}]
      DefaultActions: [{Type: forward, TargetGroupArn: "${group.TargetGroups.0.TargetGroupArn}"}]
  - route53.change_resource_record_sets:
      HostedZoneId: ${zone.HostedZone.Id}
      ChangeBatch:
        Changes:
          - Action: CREATE
            ResourceRecordSet:
              Name: secure.example.com
              Type: A
              AliasTarget:
                DNSName: ${balancer.LoadBalancers.0.DNSName}
                HostedZoneId: ${balancer.LoadBalancers.0.CanonicalHostedZoneId}
                EvaluateTargetHealth: false
"""
ONLY_SECURE = """\
    set $asked $host:$http_x_forwarded_proto:$http_x_forwarded_port;
    if ($asked ~ ^secure.example.com:(?!https:443$)) { return 301 https://secure.example.com$request_uri; }
"""
PRICE = """\
import os, sys, urllib.request
url = f"{os.environ['SANDBOX_URL']}/price?id=1&price={sys.argv[1]}"
urllib.request.urlopen(urllib.request.Request(url, method="POST")).read()
"""
INVOKE = """\
import boto3
answer = boto3.client("lambda").invoke(FunctionName="purge")
assert "FunctionError" not in answer, answer["Payload"].read()
"""
ONE = """\
import sys, boto3
group = boto3.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"][0]
boto3.client("ssm").send_command(
    DocumentName="AWS-RunShellScript",
    InstanceIds=[min(one["InstanceId"] for one in group["Instances"])],
    Parameters={"commands": ["COMMAND"]},
)
"""


@pytest.fixture
def folder(cli):
    made = cli.folder / "shop"
    shutil.copytree(share() / "compose" / "apcu", made)
    stack = (made / "stack.yaml").read_text().replace("mysql_tasks: 1", "mysql_tasks: 0")
    # Redis has the products for good: a purge is not about the database.
    stack = stack.replace("mysql_host: mysql.shop.local", 'mysql_host: ""')
    task = "  - ecs.register_task_definition:\n"
    assert stack.count(task) == 1
    (made / "stack.yaml").write_text(stack.replace(task, SECURE + task))
    (conf,) = (made / "conf.d").iterdir()
    conf.write_text(conf.read_text().replace("listen 80;\n", f"listen 80;\n{ONLY_SECURE}"))
    (made / "price.py").write_text(PRICE)
    (made / "invoke.py").write_text(INVOKE)
    (made / "one.py").write_text(ONE.replace("COMMAND", CLEAR))
    (made / "sandbox.toml").write_text(CHECKS.replace("PYTHON", sys.executable))
    return made


@pytest.mark.docker
@pytest.mark.long(30)
def test_a_purge_holds_only_if_every_machine_was_asked_and_is_new(cli, folder):
    code, _, err = cli.run("test", folder, "--speed", "10", "--json", folder / "r.json", within=240)
    assert code == 1, err
    results = json.loads((folder / "r.json").read_text())["results"]
    assert {one["variant"]: one["outcome"] for one in results} == OUTCOMES, results
    evidence = {one["variant"]: "\n".join(one["evidence"]) for one in results}
    assert "has the new content before the purge" in evidence["shows-nothing"]
    assert "2 of the 2 machines of group shop" in evidence["by-group"]
    assert evidence["by-group"].count("i-") >= len("ab")
    assert "2 of the 2 machines of group shop" in evidence["by-https"]
    assert "https://shop.example.com/product?id=1 cannot be reached" in evidence["uncertified"]
    assert "the certificate is refused: Hostname mismatch" in evidence["uncertified"]
    nobody = "no machine was asked, and the command is called Success (NoInstancesInTag); group shop has 2 machines"
    assert nobody in evidence["by-nobodys-tag"]
    assert evidence["by-nobodys-tag"].count("does not have the new content: HTTP 200") == len("ab")
    assert evidence["by-function"].count("Success; HTTP 200") == len("ab")
    assert evidence["one-of-two"].count("was not asked") == 1
    assert evidence["one-of-two"].count("does not have the new content") == 1
    assert evidence["clears-nothing"].count('does not have the new content: HTTP 200 \'{"price":90') == len("ab")
    assert "the command was refused: InvalidInstanceId" in evidence["gone-machine"]
    assert "there is no Auto Scaling group shp\nlast state: groups: shop" in evidence["no-group"]
    assert "none.py 908' failed" in evidence["no-change"]
    assert "can't open file" in evidence["no-change"]
    assert cli.in_engine() == []
