# The shop as its owner has made it, with its image in team/shop: customers come to $CUSTOMERS_PORT, staff to
# $STAFF_PORT of one load balancer, which lead to two ports of the same tasks.
vpc=$(aws ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId --output text)
subnet() {
  aws ec2 create-subnet --vpc-id "$vpc" --cidr-block "$1" --availability-zone "$2" --query Subnet.SubnetId --output text
}
subnets="$(subnet 10.0.0.0/24 us-east-1a) $(subnet 10.0.1.0/24 us-east-1b)"
firewall=$(aws ec2 create-security-group --group-name shop --description "the shop" --vpc-id "$vpc" \
  --query GroupId --output text)

balancer=$(aws elbv2 create-load-balancer --name shop --subnets $subnets --security-groups "$firewall" \
  --query 'LoadBalancers[0].LoadBalancerArn' --output text)
group() {
  arn=$(aws elbv2 create-target-group --name "$1" --protocol HTTP --port "$2" --target-type ip --vpc-id "$vpc" \
    --health-check-path /health --health-check-interval-seconds 5 --health-check-timeout-seconds 4 \
    --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn' --output text)
  aws elbv2 modify-target-group-attributes --target-group-arn "$arn" \
    --attributes Key=deregistration_delay.timeout_seconds,Value=5 > modified.json
  echo "$arn"
}
customers=$(group shop-customers 8080)
staff=$(group shop-staff 8081)
listener() {
  aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol HTTP --port "$1" \
    --default-actions 'Type=fixed-response,FixedResponseConfig={StatusCode=404}' \
    --query 'Listeners[0].ListenerArn' --output text
}
rule() {
  aws elbv2 create-rule --listener-arn "$1" --priority 100 --conditions "$2" \
    --actions "Type=forward,TargetGroupArn=$3" --query 'Rules[0].RuleArn' --output text
}
rule "$(listener "$CUSTOMERS_PORT")" Field=host-header,Values=localhost "$customers"
rule "$(listener "$STAFF_PORT")" Field=path-pattern,Values=/version "$staff"

role=$(aws iam create-role --role-name shop-execution --assume-role-policy-document '{
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]
  }' --query Role.Arn --output text)
aws iam attach-role-policy --role-name shop-execution \
  --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws ecs create-cluster --cluster-name team > cluster.json
source register.sh 1.0.0 256
aws ecs create-service --cluster team --service-name shop --task-definition shop --desired-count 2 \
  --launch-type FARGATE --health-check-grace-period-seconds 30 \
  --network-configuration "awsvpcConfiguration={subnets=[${subnets/ /,}],securityGroups=[$firewall],assignPublicIp=ENABLED}" \
  --load-balancers "targetGroupArn=$customers,containerName=shop,containerPort=8080" \
    "targetGroupArn=$staff,containerName=shop,containerPort=8081" > service.json
aws ecs wait services-stable --cluster team --services shop
