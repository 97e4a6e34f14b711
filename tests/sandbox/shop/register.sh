# A revision of the shop's task definition: `source register.sh TAG CPU`, with $role.
registry=$(aws sts get-caller-identity --query Account --output text).dkr.ecr.us-east-1.amazonaws.com
aws ecs register-task-definition --family shop --network-mode awsvpc --requires-compatibilities FARGATE \
  --cpu "$2" --memory 1024 --execution-role-arn "$role" --container-definitions '[{
    "name": "shop",
    "image": "'"$registry/team/shop:$1"'",
    "environment": [{"name": "SHUTDOWN_GRACE_SECONDS", "value": "1"}],
    "portMappings": [{"containerPort": 8080}, {"containerPort": 8081}]
  }]' --query taskDefinition.taskDefinitionArn --output text
