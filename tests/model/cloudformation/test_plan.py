"""Templates as calls: what becomes of resources, nested stacks and outputs, and what is refused and where."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudformation.resources import KINDS
from sandbox.model.cloudformation.values import concatenated
from sandbox.model.own.errors import OwnError
from sandbox.model.own.step import Archive, Computed, Reference
from tests.model.cloudformation.planned import calls, planned

SHOP = """
    Resources:
      Balancer:
        Type: AWS::ElasticLoadBalancingV2::LoadBalancer
        Properties: {Name: shop, Subnets: [a, b]}
      Targets:
        Type: AWS::ElasticLoadBalancingV2::TargetGroup
        Properties: {Name: shop, Port: "8080", Matcher: {HttpCode: "204,200"}, HealthCheckPath: /health}
      Listener:
        Type: AWS::ElasticLoadBalancingV2::Listener
        Properties:
          LoadBalancerArn: !Ref Balancer
          Port: 80
          DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
      Task:
        Type: AWS::ECS::TaskDefinition
        Properties:
          Family: shop
          ContainerDefinitions:
            - Name: web
              Image: shop:1
              Environment: [{Name: STAGE, Value: prod}, {Name: N, Value: 2}]
              Secrets: [{Name: KEY, ValueFrom: /shop/key}, {Name: OTHER, ValueFrom: /shop/other}]
              LinuxParameters: {InitProcessEnabled: "true"}
      Service:
        Type: AWS::ECS::Service
        DependsOn: Listener
        Properties:
          ServiceName: shop
          TaskDefinition: !Ref Task
          LoadBalancers: [{ContainerName: web, ContainerPort: 80, TargetGroupArn: !Ref Targets}]
    """


def shop(**toml):
    return planned(SHOP, **toml, secrets={"/shop/key": "k", "/shop/other": "o"})


def refused(text, files=None, **toml):
    with pytest.raises(OwnError) as error:
        planned(text, files, **toml)
    return error.value


def test_resources_become_calls_whose_answers_later_ones_use():
    assert calls(shop()) == [
        ("ssm.put_parameter", {"Name": "/shop/key", "Value": "k", "Type": "SecureString"}),
        ("ssm.put_parameter", {"Name": "/shop/other", "Value": "o", "Type": "SecureString"}),
        ("elbv2.create_load_balancer", {"Name": "shop", "Subnets": ["a", "b"]}),
        (
            "elbv2.create_target_group",
            {"Name": "shop", "Port": 8080, "Matcher": {"HttpCode": "204,200"}, "HealthCheckPath": "/health"},
        ),
        (
            "elbv2.create_listener",
            {
                "LoadBalancerArn": Reference("Balancer#0.LoadBalancers.0.LoadBalancerArn"),
                "Port": 80,
                "DefaultActions": [
                    {"Type": "forward", "TargetGroupArn": Reference("Targets#0.TargetGroups.0.TargetGroupArn")}
                ],
            },
        ),
        (
            "ecs.register_task_definition",
            {
                "family": "shop",
                "containerDefinitions": [
                    {
                        "name": "web",
                        "image": "shop:1",
                        "environment": [{"name": "STAGE", "value": "prod"}, {"name": "N", "value": "2"}],
                        "secrets": [
                            {"name": "KEY", "valueFrom": "/shop/key"},
                            {"name": "OTHER", "valueFrom": "/shop/other"},
                        ],
                        "linuxParameters": {"initProcessEnabled": True},
                    }
                ],
            },
        ),
        (
            "ecs.create_service",
            {
                "serviceName": "shop",
                "desiredCount": 1,
                "taskDefinition": Reference("Task#0.taskDefinition.taskDefinitionArn"),
                "loadBalancers": [
                    {
                        "containerName": "web",
                        "containerPort": 80,
                        "targetGroupArn": Reference("Targets#0.TargetGroups.0.TargetGroupArn"),
                    }
                ],
            },
        ),
    ]


def test_a_call_knows_where_its_resource_stands():
    assert [step.source for step in shop().steps][2:4] == [
        "t.yaml:3: Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer)",
        "t.yaml:6: Targets (AWS::ElasticLoadBalancingV2::TargetGroup)",
    ]


def test_the_settings_change_images_variables_and_numbers():
    made = planned(
        SHOP,
        secrets={"/shop/key": "k"},
        environment={"web": {"STAGE": "laptop", "OTHER": "plain"}},
        desired_counts={"Service": 3},
        images={"shop:1": "shop:dev"},
    )
    assert made.images == {"shop:1": "container 'web' of Task"}
    by_operation = dict(calls(made))
    (container,) = by_operation["ecs.register_task_definition"]["containerDefinitions"]
    assert [one["value"] for one in container["environment"]] == ["laptop", "2", "plain"]
    assert [one["name"] for one in container["secrets"]] == ["KEY"]
    assert by_operation["ecs.create_service"]["desiredCount"] == 3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"environment": {"wbe": {}}}, "[environment]: unknown container 'wbe'"),
        ({"images": {"shop:2": "x"}}, "[images]: unknown image 'shop:2'"),
        ({"desired_counts": {"serve": 1}}, "[desired_counts]: unknown service 'serve'"),
        ({"cloudformation": {"hosts": {"None": "a.b"}}}, "[cloudformation.hosts]: unknown load balancer 'None'"),
        ({"cloudformation": {"hosts": {"Balancer": "shop"}}}, 'hosts] "Balancer": shop is no name in a domain'),
        ({"cloudformation": {"ignore": ["None"]}}, "[cloudformation] ignore: unknown name 'None'"),
        ({"cloudformation": {"templates": {"None": "x"}}}, "[cloudformation.templates]: unknown nested stack 'None'"),
        ({"cloudformation": {"code": {"None": "x"}}}, "[cloudformation.code]: unknown function 'None'"),
        ({"cloudformation": {"hosted_zones": {"Z1": "x"}}}, "[cloudformation.hosted_zones]: unknown hosted zone 'Z1'"),
        ({"cloudformation": {"stack_name": "1"}}, "[cloudformation] stack_name: 1 is no stack's name"),
    ],
)
def test_what_the_settings_name_must_be_there(table, message):
    with pytest.raises(OwnError) as error:
        shop(**table)
    assert message in error.value.message


def test_a_secret_that_nobody_gives_is_named():
    assert refused(SHOP).message == (
        "no value is given for 2 secrets: /shop/key (of Task/web: KEY); /shop/other (of Task/web: OTHER)"
    )
    assert "[secrets]: unknown secret '/none'" in refused(SHOP, secrets={"/none": "x"}).message


def test_a_secret_of_the_template_may_have_a_value_for_this_machine():
    template = "Resources: {S: {Type: AWS::SecretsManager::Secret, Properties: {Name: db, GenerateSecretString: {}}}}"
    for name in ("db", "S"):
        made = planned(template, secrets={name: {"user": "u"}})
        assert calls(made) == [("secretsmanager.create_secret", {"Name": "db", "SecretString": '{"user": "u"}'})]


CERTIFIED = """
    Parameters: {Arn: {Type: String, Default: "arn:aws:acm:us-east-1:111122223333:certificate/a"}}
    Resources:
      Own: {Type: AWS::CertificateManager::Certificate, Properties: {DomainName: own.example.com}}
      Listener:
        Type: AWS::ElasticLoadBalancingV2::Listener
        Properties:
          LoadBalancerArn: b
          Port: 443
          Protocol: HTTPS
          Certificates: [{CertificateArn: !Ref Arn}]
          DefaultActions: [{Type: forward, TargetGroupArn: t}]
      Further:
        Type: AWS::ElasticLoadBalancingV2::ListenerCertificate
        Properties: {ListenerArn: !Ref Listener, Certificates: [{CertificateArn: !Ref Own}]}
      Distribution:
        Type: AWS::CloudFront::Distribution
        Properties:
          DistributionConfig:
            Enabled: true
            Origins: [{Id: o, DomainName: o.example.com, S3OriginConfig: {}}]
            DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: allow-all}
            ViewerCertificate: {AcmCertificateArn: !Ref Arn, SslSupportMethod: sni-only}
    """
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/a"


def test_a_certificate_that_is_there_beforehand_is_issued_for_the_names_that_are_given():
    made = calls(planned(CERTIFIED, cloudformation={"certificates": {CERTIFICATE: "*.example.com example.com"}}))
    asked = {"DomainName": "*.example.com", "SubjectAlternativeNames": ["example.com"]}
    assert made[0] == ("acm.request_certificate", asked)
    listener, further, distribution = (parameters for _, parameters in made[2:])
    assert listener["Certificates"] == [{"CertificateArn": Reference("certificate#0.CertificateArn")}]
    assert further["Certificates"] == [{"CertificateArn": Reference("Own#0.CertificateArn")}]
    viewer = distribution["DistributionConfig"]["ViewerCertificate"]
    assert viewer["ACMCertificateArn"] == Reference("certificate#0.CertificateArn")


def test_a_certificate_of_which_nothing_is_known_is_named():
    error = refused(CERTIFIED)
    assert error.message == (
        "t.yaml:7: resource 'Listener' (AWS::ElasticLoadBalancingV2::Listener): there is no certificate "
        f'{CERTIFICATE}: [cloudformation.certificates] "{CERTIFICATE}" = "www.example.com" issues one for that name'
    )
    table = {"cloudformation": {"certificates": {CERTIFICATE: " "}}}
    assert refused(CERTIFIED, **table).message == (
        f'[cloudformation.certificates] "{CERTIFICATE}" has the names that it is for'
    )
    assert "unknown certificate 'b'" in refused(SHOP, cloudformation={"certificates": {"b": "x"}}).message


def test_files_may_be_on_the_template_s_own_file_systems():
    template = "Resources: {Files: {Type: AWS::EFS::FileSystem}}"
    made = planned(template, efs={"Files": {"/": "content"}, "fs-1": {"/a": "b"}})
    assert made.efs == {Reference("Files#0.FileSystemId"): {"/": "content"}}  # that of an id is there beforehand
    assert refused(template, efs={"File": {"/": "x"}}).message == "[efs]: unknown file system 'File'"


def test_listeners_must_answer_by_the_names_that_lead_to_them():
    assert shop().ready == (
        {
            "url": Computed(concatenated, ("http://", Reference("Balancer#0.LoadBalancers.0.DNSName"), "/health")),
            "status": 204,
        },
    )
    made = shop(cloudformation={"hosts": {"Balancer": "shop.example.com"}})
    assert made.ready == ({"url": "http://shop.example.com/health", "status": 204},)
    operation, parameters = calls(made)[-1]
    assert operation == "route53.change_resource_record_sets"
    assert parameters["HostedZoneId"] == Reference("zone#0.HostedZone.Id")
    assert calls(made)[2] == ("route53.create_hosted_zone", {"Name": "example.com", "CallerReference": "example.com"})
    nobody = shop(desired_counts={"Service": 0})
    assert nobody.ready == ()
    assert nobody.notes == (
        "Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer): no health check can be asked for by HTTP through it, so "
        "its answer is not waited for: [[ready]] may name a URL",
    )
    assert shop(ready=[{"url": "http://x/"}]).ready == ({"url": "http://x/"},)


def test_an_alias_of_the_template_is_such_a_name():
    records = """
      Record:
        Type: AWS::Route53::RecordSet
        Properties:
          HostedZoneName: example.org.
          Name: shop.example.org.
          Type: A
          AliasTarget: {DNSName: !GetAtt Balancer.DNSName, HostedZoneId: !GetAtt Balancer.CanonicalHostedZoneID}
    """
    made = planned(SHOP + records, secrets={"/shop/key": "k", "/shop/other": "o"})
    assert [one["url"] for one in made.ready] == ["http://shop.example.org/health"]
    assert made.notes == ("the hosted zone example.org is not the template's: an empty one is made beforehand",)


SCALED = """
    Resources:
      Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: shop}}
      Service: {Type: AWS::ECS::Service, Properties: {Cluster: !Ref Cluster, TaskDefinition: shop}}
      Target:
        Type: AWS::ApplicationAutoScaling::ScalableTarget
        Properties:
          ServiceNamespace: ecs
          ScalableDimension: ecs:service:DesiredCount
          ResourceId: !Sub service/shop/${Service.Name}
          MinCapacity: "2"
          MaxCapacity: 6
          RoleARN: arn:aws:iam::1:role/scaling
          SuspendedState: {DynamicScalingInSuspended: "true"}
          ScheduledActions:
            - ScheduledActionName: night
              Schedule: cron(0 22 * * ? *)
              Timezone: Europe/Berlin
              ScalableTargetAction: {MinCapacity: 1, MaxCapacity: "1"}
      Cpu:
        Type: AWS::ApplicationAutoScaling::ScalingPolicy
        Properties:
          PolicyName: cpu
          PolicyType: TargetTrackingScaling
          ScalingTargetId: !Ref Target
          TargetTrackingScalingPolicyConfiguration:
            TargetValue: "50"
            ScaleInCooldown: 60
            PredefinedMetricSpecification: {PredefinedMetricType: ECSServiceAverageCPUUtilization}
      Steps:
        Type: AWS::ApplicationAutoScaling::ScalingPolicy
        DependsOn: Target
        Properties:
          PolicyName: steps
          PolicyType: StepScaling
          ServiceNamespace: ecs
          ScalableDimension: ecs:service:DesiredCount
          ResourceId: service/shop/other
          StepScalingPolicyConfiguration:
            AdjustmentType: PercentChangeInCapacity
            StepAdjustments: [{MetricIntervalLowerBound: 0, ScalingAdjustment: 200}]
    Outputs:
      Target: {Value: !GetAtt Target.Id}
      Ref: {Value: !Ref Target}
      Cpu: {Value: !Ref Cpu}
      Arn: {Value: !GetAtt Cpu.Arn}
    """


def test_scalable_targets_and_policies_are_registered():
    made = planned(SCALED)
    values = {"Service#0": {"service": {"serviceName": "web"}}, "Cpu#0": {"PolicyARN": "arn:cpu"}}

    def settled(value):
        if isinstance(value, dict):
            return {name: settled(one) for name, one in value.items()}
        if isinstance(value, Computed):
            return value.function(*(settled(one) for one in value.arguments))
        if isinstance(value, Reference):
            name, *parts = value.name.split(".")
            return reduce(getitem, parts, values[name])
        return value

    target = {
        "ResourceId": "service/shop/web",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ServiceNamespace": "ecs",
    }
    assert [(name, settled(given)) for name, given in calls(made)[2:]] == [
        (
            "application-autoscaling.register_scalable_target",
            {
                **target,
                "MinCapacity": 2,
                "MaxCapacity": 6,
                "RoleARN": "arn:aws:iam::1:role/scaling",
                "SuspendedState": {"DynamicScalingInSuspended": True},
            },
        ),
        (
            "application-autoscaling.put_scheduled_action",
            {
                **target,
                "ScheduledActionName": "night",
                "Schedule": "cron(0 22 * * ? *)",
                "Timezone": "Europe/Berlin",
                "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 1},
            },
        ),
        (
            "application-autoscaling.put_scaling_policy",
            {
                **target,
                "PolicyName": "cpu",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 50.0,
                    "ScaleInCooldown": 60,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            },
        ),
        (
            "application-autoscaling.put_scaling_policy",
            {
                **target,
                "ResourceId": "service/shop/other",
                "PolicyName": "steps",
                "PolicyType": "StepScaling",
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "PercentChangeInCapacity",
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 200}],
                },
            },
        ),
    ]
    id_ = "service/shop/web|ecs:service:DesiredCount|ecs"
    assert {name: settled(value) for name, value in made.outputs.items()} == {
        "Target": id_,
        "Ref": id_,
        "Cpu": "arn:cpu",
        "Arn": "arn:cpu",
    }


TARGET_LAST = """
    Resources:
      Policy:
        Type: AWS::ApplicationAutoScaling::ScalingPolicy
        Properties: {PolicyName: cpu, PolicyType: StepScaling, StepScalingPolicyConfiguration: {}, NAMED}
      Target:
        Type: AWS::ApplicationAutoScaling::ScalableTarget
        Properties: {MinCapacity: 1, MaxCapacity: 2, TARGET}
    """
NAMED = "ResourceId: service/shop/web, ScalableDimension: ecs:service:DesiredCount, ServiceNamespace: ecs"


@pytest.mark.parametrize(
    ("named", "depends", "after"),
    [
        ("ScalingTargetId: !Ref Target", "", True),
        ("ScalingTargetId: !GetAtt Target.Id", "", True),
        (NAMED, "DependsOn: Target", True),
        (NAMED, "", False),  # as on AWS, where nothing says so, and PutScalingPolicy is refused
    ],
)
def test_a_policy_is_put_after_the_target_that_it_refers_to(named, depends, after):
    text = TARGET_LAST.replace("TARGET", NAMED).replace("NAMED", named)
    made = planned(text.replace("ScalingPolicy\n", f"ScalingPolicy\n        {depends}\n"))
    operations = ["application-autoscaling.register_scalable_target", "application-autoscaling.put_scaling_policy"]
    assert [name for name, _ in calls(made)] == (operations if after else operations[::-1])


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('MinCapacity: "2"', "Minimum: 2", "property Minimum is not supported"),
        ('MinCapacity: "2"\n', "\n", "'Target' (AWS::ApplicationAutoScaling::ScalableTarget): property MinCapacity is"),
        ("MaxCapacity: 6", "MaxCapacity: many", "MaxCapacity is a number, and not 'many'"),
        (
            "ServiceNamespace: ecs\n          ScalableDimension: ecs:service:DesiredCount\n          ResourceId: !Sub",
            "ServiceNamespace: dynamodb\n          ScalableDimension: x\n          ResourceId: !Sub",
            "ServiceNamespace 'dynamodb' is not supported",
        ),
        ("Timezone: Europe", "TimeZones: Europe", "property ScheduledActions.TimeZones is not supported"),
        ("Timezone: Europe/Berlin", "ResourceId: x", "property ScheduledActions.ResourceId is not supported"),
        (
            "ScheduledActionName: night\n",
            "StartTime: 2026-01-01T00:00:00Z\n",
            "property ScheduledActionName is required",
        ),
        ("PolicyName: cpu", "Name: cpu", "property Name is not supported"),
        ("PolicyType: TargetTrackingScaling", "PolicyType: PredictiveScaling", "PolicyType 'PredictiveScaling' is not"),
        ("PolicyType: TargetTrackingScaling", "PolicyType: [a]", "PolicyType a list is not supported"),
        ("PolicyType: TargetTrackingScaling", "PolicyType: StepScaling", "StepScalingPolicyConfiguration is required"),
        ("ScalingTargetId: !Ref Target", "ServiceNamespace: ecs", "either ScalingTargetId, or ResourceId, Scalable"),
        ("DependsOn: Target\n        Properties:", "Properties:\n          ScalingTargetId: a|b|c", "either ScalingT"),
        ("ScalingTargetId: !Ref Target", "ScalingTargetId: service/shop/web", "is what Ref returns of a scalable"),
        ("ScaleInCooldown: 60", "ScaleInCoolDowns: 60", "TargetTrackingScalingPolicyConfiguration.ScaleInCoolDowns"),
        ("!GetAtt Target.Id", "!GetAtt Target.Arn", "does not support attribute type Arn in Fn::GetAtt"),
    ],
)
def test_what_is_wrong_with_a_scalable_target_or_policy(good, bad, message):
    assert SCALED.count(good) == 1
    assert message in refused(SCALED.replace(good, bad)).message


ROUTED = """
    Resources:
      Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
      Dummy: {Type: AWS::ElasticLoadBalancingV2::TargetGroup}
      Pages: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {Targets: [{Id: 10.0.0.9}]}}
      Calls:
        Type: AWS::ElasticLoadBalancingV2::TargetGroup
        Properties: {HealthCheckPath: /api/health, Targets: [{Id: 10.0.0.9}]}
      Listener:
        Type: AWS::ElasticLoadBalancingV2::Listener
        Properties:
          LoadBalancerArn: !Ref Balancer
          Port: 8080
          DefaultActions: [{Type: forward, TargetGroupArn: !Ref Dummy}]
      All:
        Type: AWS::ElasticLoadBalancingV2::ListenerRule
        Properties:
          ListenerArn: !Ref Listener
          Priority: 20
          Conditions: [{Field: host-header, Values: ["*.example.com"]}, {Field: path-pattern, Values: ["*"]}]
          Actions: [{Type: forward, ForwardConfig: {TargetGroups: [{TargetGroupArn: !Ref Pages}]}}]
      Api:
        Type: AWS::ElasticLoadBalancingV2::ListenerRule
        Properties:
          ListenerArn: !Ref Listener
          Priority: 3
          Conditions: [{Field: path-pattern, PathPatternConfig: {Values: [/api/*]}}]
          Actions: [{Type: forward, TargetGroupArn: !Ref Calls}]
    """
HEADER = "Conditions: [{Field: http-header, HttpHeaderConfig: {HttpHeaderName: X, Values: [a]}}, "


def test_rules_decide_which_health_checks_can_be_asked_for():
    hosts = {"hosts": {"Balancer": "shop.example.com"}}
    urls = [one["url"] for one in planned(ROUTED, cloudformation=hosts).ready]
    assert urls == ["http://shop.example.com:8080/", "http://shop.example.com:8080/api/health"]
    # What leads somewhere else, or depends on more than the URL, is not asked for.
    other = {"hosts": {"Balancer": "shop.example.org"}}
    assert [one["url"] for one in planned(ROUTED, cloudformation=other).ready] == [
        "http://shop.example.org:8080/api/health"
    ]
    by_header = ROUTED.replace("Conditions: [{Field: path-pattern, Path", HEADER + "{Field: path-pattern, Path")
    assert [one["url"] for one in planned(by_header, cloudformation=hosts).ready] == ["http://shop.example.com:8080/"]


def test_a_stack_that_is_made_before_exports_what_another_imports():
    network = """
        Parameters: {Name: {Type: String}}
        Resources:
          C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: !Ref Name}}
          Alarm: {Type: AWS::CloudWatch::Alarm}
        Outputs: {Cluster: {Value: !Ref C, Export: {Name: !Sub "${AWS::StackName}:Cluster"}}}
        """
    service = """
        Resources:
          P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !ImportValue "production:Cluster"}}
        """
    other = {"production": {"template": "network.yaml", "parameters": {"Name": "x"}}}
    table = {"stacks": other, "ignore": ["production/Alarm"]}
    made = planned(service, {"network.yaml": network}, cloudformation=table)
    cluster = Reference("production/C#0.cluster.clusterName")
    assert [one[0] for one in calls(made)] == ["ecs.create_cluster", "ssm.put_parameter"]
    assert calls(made)[1][1]["Value"] == cluster
    assert made.outputs == {"production.Cluster": cluster}
    missing = {"stacks": {"production": {"template": "network.yaml"}}, "ignore": ["production/Alarm"]}
    assert refused(service, {"network.yaml": network}, cloudformation=missing).hint == (
        'in [cloudformation.stacks.production.parameters]: Name = "VALUE"'
    )
    assert "1 is no stack's name" in refused(service, cloudformation={"stacks": {"1": {"template": "x"}}}).message


def test_a_launch_configuration_s_user_data_is_encoded_once():
    made = planned("""
        Resources:
          L:
            Type: AWS::AutoScaling::LaunchConfiguration
            Properties: {ImageId: ami-1, InstanceMonitoring: "true", UserData: !Base64 "#!/bin/sh"}
        """)
    ((operation, parameters),) = calls(made)
    assert operation == "autoscaling.create_launch_configuration"
    assert parameters["UserData"] == "#!/bin/sh"
    assert parameters["InstanceMonitoring"] == {"Enabled": True}


NESTED = """
    Resources:
      Net:
        Type: AWS::CloudFormation::Stack
        Properties: {TemplateURL: nested/net.yaml, Parameters: {Name: !Ref AWS::StackName, List: [a, b]}}
      After:
        Type: AWS::SSM::Parameter
        Properties: {Type: String, Value: !ImportValue net-cluster}
        DependsOn: Net
    Outputs: {Cluster: {Value: !GetAtt Net.Outputs.Cluster}}
    """
NET = """
    Parameters: {Name: {Type: String}, List: {Type: CommaDelimitedList}}
    Resources:
      C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: !Ref Name}}
      F:
        Type: AWS::Lambda::Function
        Properties: {Code: src, Handler: a.b, Role: r, Runtime: python3.12, FunctionName: !Select [1, !Ref List]}
    Outputs: {Cluster: {Value: !Ref C, Export: {Name: net-cluster}}}
    """


def test_a_nested_stack_is_made_in_its_place_and_has_outputs_and_exports():
    made = planned(NESTED, {"nested/net.yaml": NET})
    cluster = Reference("Net/C#0.cluster.clusterName")
    assert made.outputs == {"Cluster": cluster}
    assert [(step.operation, step.source.partition(":")[0]) for step in made.steps] == [
        ("ecs.create_cluster", "nested/net.yaml"),
        ("lambda.create_function", "nested/net.yaml"),
        ("ssm.put_parameter", "t.yaml"),
    ]
    function = calls(made)[1][1]
    assert function["FunctionName"] == "b"
    assert function["Code"] == {"ZipFile": Archive("nested/src")}  # beside its template
    assert calls(made)[2][1]["Value"] == cluster


def test_what_of_a_nested_stack_has_no_effect_is_told():
    text = NESTED.replace("TemplateURL:", "Tags: [{Key: a, Value: b}], TimeoutInMinutes: 5, TemplateURL:")
    assert planned(text, {"nested/net.yaml": NET}).notes == (
        "Net (AWS::CloudFormation::Stack): Tags: no effect (resources get no tags of their stack)",
        "Net (AWS::CloudFormation::Stack): TimeoutInMinutes: no effect (the stack is up or fails)",
    )


def test_a_nested_stack_s_template_may_be_mapped():
    url = NESTED.replace("nested/net.yaml", "https://s3.amazonaws.com/bucket/net.yaml")
    assert refused(url, {"net.yaml": NET}).message == (
        "t.yaml:5: resource 'Net' (AWS::CloudFormation::Stack): TemplateURL https://s3.amazonaws.com/bucket/net.yaml "
        "is not a path of this folder"
    )
    table = {"templates": {"Net": "net.yaml"}, "code": {"Net/F": "lambda"}, "ignore": ["After"]}
    made = planned(url, {"net.yaml": NET}, cloudformation=table)
    assert calls(made)[1][1]["Code"] == {"ZipFile": Archive("lambda")}
    assert len(made.steps) == 2


def test_what_is_wrong_in_a_nested_template_is_told_of_its_own_file():
    bad = NET.replace("ClusterName: !Ref Name", "ClusterName: !Ref None")
    message = refused(NESTED, {"nested/net.yaml": bad}).message
    assert message.startswith("nested/net.yaml:4: resource 'C' (AWS::ECS::Cluster): ")
    assert message.endswith("(nested as Net)")
    assert "no such file" in refused(NESTED).message
    assert (
        "Parameters: [List] must have values"
        in refused(NESTED.replace(", List: [a, b]", ""), {"nested/net.yaml": NET}).message
    )
    itself = "Resources: {Me: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: t.yaml}}}"
    assert "nested more than 10 deep" in refused(itself).message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("Resources: {}", "t.yaml:1: Template format error: At least one Resources member must be defined.", ""),
        ("- a", "t.yaml:1: Template format error: the template is not a mapping", ""),
        ("Resources: [", "t.yaml: Template format error: neither YAML nor JSON", ""),
        ("Resource: {}", "t.yaml:1: Template format error: unknown section 'Resource'", "is 'Resources' meant?"),
        ("Transform: AWS::Serverless-2016-10-31", "the section Transform is not supported", 'ignore = ["Transform"]'),
        ("Resources: {A-B: {Type: AWS::ECS::Cluster}}", "'A-B': a logical id has letters and digits alone", ""),
        ("Resources: {A: {}}", "t.yaml:1: resource 'A' has no Type", ""),
        (
            "Resources:\n  A:\n    Type: AWS::ECS::Clutser",
            "t.yaml:3: resource 'A': the type AWS::ECS::Clutser is not supported",
            "is 'AWS::ECS::Cluster' meant?; [cloudformation] ignore = [\"A\"] leaves it out, "
            '["AWS::ECS::Clutser"] all of the type',
        ),
        (
            "Resources: {A: {Type: AWS::CloudWatch::Alarm}}",
            "the type AWS::CloudWatch::Alarm is not supported: there are no metrics and no alarms here",
            'ignore = ["A"] leaves it out',
        ),
        (
            "Resources:\n  A:\n    Type: AWS::ECS::Cluster\n    Properties:\n      Name: x",
            "t.yaml:5: resource 'A' (AWS::ECS::Cluster): property Name is not supported",
            'ignore = ["A.Name"] leaves it out',
        ),
        (
            "Resources:\n  A:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      ContainerDefinitions:\n"
            "        - Name: a\n          LinuxParameters:\n            InitProces: true",
            "t.yaml:8: resource 'A' (AWS::ECS::TaskDefinition): property "
            "ContainerDefinitions.LinuxParameters.InitProces is not supported",
            'ignore = ["A.ContainerDefinitions.LinuxParameters.InitProces"] leaves it out',
        ),
        (
            "Resources:\n"
            "  A: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Name: a, Cpu: x}]}}",
            "t.yaml:2: resource 'A' (AWS::ECS::TaskDefinition): ContainerDefinitions.Cpu is a number, and not 'x'",
            "",
        ),
        (
            "Resources: {A: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: {Name: a}}}}",
            "ContainerDefinitions is a list, and not a mapping",
            "",
        ),
        ("Resources: {A: {Type: AWS::ECS::TaskDefinition}}", "property ContainerDefinitions is required", ""),
        ("Resources: {A: {Type: AWS::ECS::Cluster, Count: 2}}", "unknown attribute 'Count'", 'ignore = ["A.Count"]'),
        (
            "Resources: {A: {Type: AWS::ECS::Cluster, DependsOn: B}}",
            "Unresolved resource dependencies [B] in the Resources block of the template",
            "",
        ),
        (
            "Resources:\n  A: {Type: AWS::ECS::Cluster, DependsOn: B}\n"
            "  B: {Type: AWS::ECS::Cluster, Properties: {ClusterName: !Ref A}}",
            "t.yaml:1: Circular dependency between resources: [A, B]",
            "",
        ),
        (
            "Resources:\n  R: {Type: AWS::Route53::RecordSet, Properties: {Name: a.b, Type: A, HostedZoneId: Z1}}",
            "there is no hosted zone Z1: [cloudformation.hosted_zones]",
            "",
        ),
        ("Resources: {C: {Type: AWS::ECS::Cluster}}\nOutputs: {X: {Val: 1}}", "Outputs 'X': unknown key 'Val'", ""),
        ("Resources: {C: {Type: AWS::ECS::Cluster}}\nOutputs: {X: {}}", "Outputs 'X' has no Value", ""),
        (
            "Resources: {C: {Type: AWS::ECS::Cluster}}\nOutputs: {X: {Value: !Ref AWS::NoValue}}",
            "t.yaml:2: Outputs 'X': its Value is AWS::NoValue",
            "",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_resource_and_the_line(text, message, hint):
    error = refused(text)
    assert message in error.message
    assert hint in error.hint


def test_what_is_ignored_is_left_out_and_what_refers_to_it_is_told():
    text = """
        Transform: Whatever
        Resources:
          A: {Type: Custom::Thing}
          B:
            Type: AWS::ECS::TaskDefinition
            Properties:
              Family: b
              ContainerDefinitions:
                - Name: !If [Always, a, b]
                  Fancy: {More: 1}
              Cpu: !If [Always, 256, 512]
        Conditions: {Always: !Equals [1, 1]}
        """
    table = {"ignore": ["Transform", "A", "B.ContainerDefinitions.Fancy"]}
    assert calls(planned(text, cloudformation=table)) == [
        ("ecs.register_task_definition", {"family": "b", "containerDefinitions": [{"name": "a"}], "cpu": "256"})
    ]
    assert (
        "it refers to A, which [cloudformation] ignore leaves out"
        in refused(text.replace("Family: b", "Family: !Ref A"), cloudformation=table).message
    )


def test_types_may_be_ignored_in_whatever_stack_they_are():
    nested = """
        Resources:
          A: {Type: AWS::CloudWatch::Alarm}
          S: {Type: AWS::ApplicationAutoScaling::ScalingPolicy}
          C: {Type: AWS::ECS::Cluster}
        """
    text = """
        Resources:
          N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml}}
          A: {Type: AWS::CloudWatch::Alarm}
        """
    table = {"ignore": ["AWS::CloudWatch::Alarm", "AWS::ApplicationAutoScaling::*"]}
    made = planned(text, {"n.yaml": nested}, cloudformation=table)
    assert [step.save_as for step in made.steps] == ["N/C#0"]
    table["ignore"].append("AWS::ECS::Serivce")
    assert "unknown name 'AWS::ECS::Serivce'" in refused(text, {"n.yaml": nested}, cloudformation=table).message


def test_a_resource_whose_condition_does_not_hold_is_not_made():
    text = """
        Conditions: {Never: !Equals [1, 2]}
        Resources:
          A: {Type: AWS::Of::NoKind, Condition: Never, Properties: {X: !Ref None}}
          B: {Type: AWS::ECS::Cluster, DependsOn: A, Properties: {ClusterName: !If [Never, !Ref A, b]}}
        Outputs: {X: {Value: !Ref A, Condition: Never}, Y: {Value: !Ref B}}
        """
    made = planned(text)
    assert calls(made) == [("ecs.create_cluster", {"clusterName": "b"})]
    assert list(made.outputs) == ["Y"]
    assert "Unresolved resource dependencies [A]" in refused(text.replace("!If [Never, !Ref A, b]", "!Ref A")).message


def test_a_template_is_bounded_as_cloudformation_s_are():
    clusters = "".join(f"  C{number}: {{Type: AWS::ECS::Cluster}}\n" for number in range(501))
    assert refused(f"Resources:\n{clusters}").message == (
        "t.yaml:1: Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    )
    chain = "".join(f"  C{number}: !Not [!Condition C{number + 1}]\n" for number in range(900))
    text = f"Conditions:\n{chain}  C900: !Equals [1, 1]\nResources: {{C: {{Type: AWS::ECS::Cluster}}}}"
    assert refused(text).message == "t.yaml: conditions are made of conditions too many times"


def test_policies_have_no_effect_and_that_is_told():
    made = planned("Resources: {A: {Type: AWS::ECS::Cluster, DeletionPolicy: Retain, UpdateReplacePolicy: Retain}}")
    assert made.notes == (
        "A (AWS::ECS::Cluster): DeletionPolicy and UpdateReplacePolicy: no effect (what is made goes with the sandbox)",
    )


def test_what_cfn_init_would_do_is_told():
    made = planned("""
        Resources:
          A:
            Type: AWS::AutoScaling::LaunchConfiguration
            Properties: {ImageId: ami-1, InstanceType: t3.small}
            Metadata: {"AWS::CloudFormation::Init": {config: {commands: {a: {command: "echo ECS_CLUSTER=x"}}}}}
          B: {Type: AWS::ECS::Cluster, Metadata: {"aws:cdk:path": b}}
        """)
    (note,) = made.notes
    assert note.startswith("A (AWS::AutoScaling::LaunchConfiguration): AWS::CloudFormation::Init: no effect (cfn-init")


def test_names_that_are_made_up_are_always_the_same_and_short_enough():
    long = "L" * 40
    text = f"Resources: {{{long}: {{Type: AWS::ElasticLoadBalancingV2::TargetGroup}}, C: {{Type: AWS::ECS::Cluster}}}}"
    first, second = planned(text), planned(text)
    assert calls(first) == calls(second)
    assert len(calls(first)[0][1]["Name"]) <= 32
    assert calls(first)[1][1]["clusterName"].startswith("shop-C-")
    other = planned(text, cloudformation={"stack_name": "other"})
    assert calls(first)[1] != calls(other)[1]


UNKNOWN = st.from_regex(r"AWS::[A-Z][A-Za-z]{2,8}::[A-Z][a-z]{2,8}", fullmatch=True).filter(
    lambda one: one not in KINDS
)


@given(UNKNOWN)
def test_a_type_that_is_not_carried_out_is_always_refused_by_name(kind):
    error = refused(f"Resources: {{X: {{Type: '{kind}'}}}}")
    assert f"resource 'X': the type {kind} is not supported" in error.message
    assert 'ignore = ["X"]' in error.hint


@given(st.sampled_from(sorted(KINDS)), st.from_regex(r"[A-Z][a-z]{3,9}Zz", fullmatch=True))
def test_a_property_that_is_not_carried_out_is_always_refused_by_name(kind, name):
    error = refused(f"Resources: {{X: {{Type: '{kind}', Properties: {{{name}: 1}}}}}}")
    assert f"resource 'X' ({kind}): property {name} is not supported" in error.message


def test_a_policy_has_a_version_as_iam_here_wants_it():
    made = planned("""
        Resources:
          R:
            Type: AWS::IAM::Role
            Properties:
              RoleName: r
              AssumeRolePolicyDocument: {Statement: []}
              Policies:
                - {PolicyName: text, PolicyDocument: '{"Statement": []}'}
                - {PolicyName: old, PolicyDocument: {Version: 2008-10-17, Statement: !Ref AWS::NoValue}}
        """)
    role, text, old = (parameters for _, parameters in calls(made))
    assert role["AssumeRolePolicyDocument"] == '{"Version": "2012-10-17", "Statement": []}'
    assert text["PolicyDocument"] == '{"Version": "2012-10-17", "Statement": []}'
    assert old["PolicyDocument"] == '{"Version": "2008-10-17"}'


CDK = {
    "Resources": {
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "UpdateReplacePolicy": "Retain",
            "DeletionPolicy": "Retain",
            "Metadata": {"aws:cdk:path": "Shop/Logs/Resource"},
        },
        "TaskDef": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ContainerDefinitions": [
                    {
                        "Essential": True,
                        "Image": {
                            "Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/"
                            "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}:0a1b"
                        },
                        "LogConfiguration": {
                            "LogDriver": "awslogs",
                            "Options": {"awslogs-group": {"Ref": "Logs"}, "awslogs-region": {"Ref": "AWS::Region"}},
                        },
                        "Name": "web",
                    }
                ],
                "Cpu": "256",
                "Family": "ShopTaskDef",
                "Memory": "512",
                "NetworkMode": "awsvpc",
                "RequiresCompatibilities": ["FARGATE"],
            },
        },
        "CDKMetadata": {
            "Type": "AWS::CDK::Metadata",
            "Properties": {"Analytics": "v2:deflate64:H4sI"},
            "Condition": "CDKMetadataAvailable",
        },
    },
    "Conditions": {
        "CDKMetadataAvailable": {
            "Fn::Or": [
                {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, one]} for one in ("af-south-1", "ap-east-1")]},
                {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            ]
        }
    },
    "Parameters": {
        "BootstrapVersion": {
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Default": "/cdk-bootstrap/hnb659fds/version",
            "Description": "Version of the CDK Bootstrap resources in this environment [cdk:skip]",
        }
    },
    "Rules": {
        "CheckBootstrapVersion": {
            "Assertions": [
                {
                    "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3"], {"Ref": "BootstrapVersion"}]}]},
                    "AssertDescription": "CDK bootstrap stack version 6 required.",
                }
            ]
        }
    },
}


def test_what_cdk_synth_writes_is_planned():
    version = {"/cdk-bootstrap/hnb659fds/version": "21"}
    made = planned(json.dumps(CDK, indent=1), secrets=version)
    assert [one for one, _ in calls(made)] == ["logs.create_log_group", "ecs.register_task_definition"]
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cdk-hnb659fds-container-assets-123456789012-us-east-1:0a1b"
    assert made.images == {image: "container 'web' of TaskDef"}
    assert refused(json.dumps(CDK)).hint == 'in [secrets]: "/cdk-bootstrap/hnb659fds/version" = "VALUE"'
