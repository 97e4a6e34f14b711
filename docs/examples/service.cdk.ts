// A service of your own that Crossfade releases: ECS's usual construct of the CDK, a spec, and a custom resource.
import { CfnOutput, CustomResource, Stack, StackProps } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { CfnService, Cluster, ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { ApplicationLoadBalancedFargateService } from 'aws-cdk-lib/aws-ecs-patterns';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';

export interface WebProps extends StackProps {
  readonly specsPath: string; // outputs of Crossfade's stack
  readonly cleanupFunctionArn: string;
}

export class Web extends Stack {
  constructor(scope: Construct, id: string, props: WebProps) {
    super(scope, id, props);
    const repository = new Repository(this, 'Repository', { repositoryName: 'web' });
    const web = new ApplicationLoadBalancedFargateService(this, 'Service', {
      cluster: new Cluster(this, 'Cluster', { vpc: new Vpc(this, 'Vpc') }),
      taskImageOptions: { image: ContainerImage.fromEcrRepository(repository), containerPort: 8080 },
    });
    // The pattern of what runs has no task itself; the construct takes no 0.
    (web.service.node.defaultChild as CfnService).addPropertyOverride('DesiredCount', 0);
    web.targetGroup.configureHealthCheck({ path: '/healthz' });

    const like = web.service.serviceArn;
    const listener = web.listener.listenerArn;
    const url = `http://${web.loadBalancer.loadBalancerDnsName}`;
    const image = repository.repositoryName;
    const spec = {
      "service": "web", "like": like, "tasks": 2, "version": { "path": "/version" },
      "release": { "repository": image, "push_tags": "^[0-9]+[.][0-9]+[.][0-9]+$" },
      "traffic": [{ "listener": listener, "priority": "last" }], "preview": { "listener": listener },
      "stages": [
        { "weight": 0, "min_seconds": 15, "max_seconds": 600 }, { "weight": 10, "min_seconds": 15, "max_seconds": 600 },
        { "weight": 50, "min_seconds": 15, "max_seconds": 600 }, { "weight": 100, "min_seconds": 30, "max_seconds": 600 }
      ],
      "launch": { "deadline_seconds": 300, "hold_seconds": 10 },
      "retire": { "quiet_seconds": 60, "drain_seconds": 320, "deadline_seconds": 900, "warm_seconds": 600 },
      "probe": { "url": url, "production_rate": 10, "slot_rate": 20 }
    };
    const parameter = new StringParameter(this, 'Spec', {
      parameterName: `${props.specsPath}web`,
      stringValue: JSON.stringify(spec),
    });
    const prepared = new CustomResource(this, 'Crossfade', {
      resourceType: 'Custom::CrossfadeService',
      serviceToken: props.cleanupFunctionArn,
      properties: { ServiceTimeout: 960, Service: 'web', Spec: parameter.stringValue },
    });
    prepared.node.addDependency(web);

    // What Crossfade's stack is given: its parameters Adopted and TaskRoles.
    new CfnOutput(this, 'Adopted', { value: [like, listener].join(',') });
    const roles = [web.taskDefinition.taskRole.roleArn, web.taskDefinition.executionRole!.roleArn];
    new CfnOutput(this, 'TaskRoles', { value: roles.join(',') });
  }
}
