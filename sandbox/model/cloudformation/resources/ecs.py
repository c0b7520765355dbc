"""AWS::ECS: clusters, task definitions, services."""

from __future__ import annotations

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind


def _cluster(r: Resource) -> Made:
    answer = r.call(
        "ecs.create_cluster",
        {
            "clusterName": r.named("ClusterName"),
            **r.given(
                "CapacityProviders",
                "Configuration",
                "DefaultCapacityProviderStrategy",
                "ServiceConnectDefaults",
                "Tags",
                ClusterSettings="settings",
            ),
        },
    )
    return Made(answer("cluster.clusterName"), {"Arn": answer("cluster.clusterArn")})


def _associations(r: Resource) -> Made:
    r.call(
        "ecs.put_cluster_capacity_providers",
        {
            "defaultCapacityProviderStrategy": [],
            **r.given("Cluster", "CapacityProviders", "DefaultCapacityProviderStrategy"),
        },
    )
    return Made(r.get("Cluster"))


_TASK_DEFINITION = (
    "ContainerDefinitions Cpu EphemeralStorage ExecutionRoleArn InferenceAccelerators IpcMode Memory NetworkMode "
    "PidMode PlacementConstraints ProxyConfiguration RequiresCompatibilities RuntimePlatform Tags TaskRoleArn Volumes "
    "EnableFaultInjection"
)


def _task_definition(r: Resource) -> Made:
    answer = r.call(
        "ecs.register_task_definition",
        {"family": r.named("Family"), **r.given(*_TASK_DEFINITION.split())},
    )
    arn = answer("taskDefinition.taskDefinitionArn")
    return Made(arn, {"TaskDefinitionArn": arn})


_SERVICE = (
    "AvailabilityZoneRebalancing CapacityProviderStrategy Cluster DeploymentConfiguration DeploymentController "
    "EnableECSManagedTags EnableExecuteCommand HealthCheckGracePeriodSeconds LaunchType LoadBalancers "
    "NetworkConfiguration PlacementConstraints PlatformVersion PropagateTags Role SchedulingStrategy "
    "ServiceConnectConfiguration ServiceRegistries Tags TaskDefinition VolumeConfigurations VpcLatticeConfigurations"
)


def _service(r: Resource) -> Made:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html: DesiredCount
    # is 1 for a new service without one.
    count = {} if r.get("SchedulingStrategy") == "DAEMON" else {"desiredCount": 1}
    answer = r.call(
        "ecs.create_service",
        {
            "serviceName": r.named("ServiceName"),
            **count,
            **r.given(*_SERVICE.split(), DesiredCount="desiredCount", PlacementStrategies="placementStrategy"),
        },
    )
    return Made(
        answer("service.serviceArn"),
        {"Name": answer("service.serviceName"), "ServiceArn": answer("service.serviceArn")},
    )


KINDS: dict[str, Kind] = {
    "AWS::ECS::Cluster": kind(
        "CapacityProviders ClusterName ClusterSettings Configuration DefaultCapacityProviderStrategy "
        "ServiceConnectDefaults Tags",
        "Arn",
        _cluster,
    ),
    "AWS::ECS::ClusterCapacityProviderAssociations": kind(
        "CapacityProviders Cluster DefaultCapacityProviderStrategy", "", _associations
    ),
    "AWS::ECS::TaskDefinition": kind(f"{_TASK_DEFINITION} Family", "TaskDefinitionArn", _task_definition),
    "AWS::ECS::Service": kind(f"{_SERVICE} DesiredCount PlacementStrategies ServiceName", "Name ServiceArn", _service),
}
