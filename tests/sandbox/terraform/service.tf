# A service that its team has in Terraform, and that knows nothing of Crossfade: the usual resources, scaled by CPU.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "vpc" { type = string }
variable "subnets" { type = list(string) }
variable "port" { type = number }
variable "image_tag" { type = string }
variable "cpu" { type = number }
variable "team" { type = string }
variable "paths" { type = list(string) }

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  default_tags {
    tags = {
      Team = var.team
    }
  }
}

resource "aws_security_group" "shop" {
  name   = "shop"
  vpc_id = var.vpc
  ingress {
    from_port   = 0
    to_port     = 65535
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "shop" {
  name            = "shop"
  subnets         = var.subnets
  security_groups = [aws_security_group.shop.id]
}

resource "aws_lb_target_group" "shop" {
  name                 = "shop"
  vpc_id               = var.vpc
  target_type          = "ip"
  port                 = 8080
  protocol             = "HTTP"
  deregistration_delay = 5
  health_check {
    path              = "/healthz"
    interval          = 5
    timeout           = 4
    healthy_threshold = 2
  }
}

resource "aws_lb_listener" "shop" {
  load_balancer_arn = aws_lb.shop.arn
  port              = var.port
  protocol          = "HTTP"
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "shop" {
  listener_arn = aws_lb_listener.shop.arn
  priority     = 100
  condition {
    path_pattern {
      values = var.paths
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.shop.arn
  }
}

resource "aws_ecs_cluster" "shop" {
  name = "shop"
}

resource "aws_iam_role" "execution" {
  name = "shop-execution"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

resource "aws_cloudwatch_log_group" "shop" {
  name = "/shop"
}

data "aws_region" "current" {}

data "aws_ecr_repository" "shop" {
  name = "team/shop"
}

resource "aws_ecs_task_definition" "shop" {
  family                   = "shop"
  cpu                      = var.cpu
  memory                   = 1024
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions = jsonencode([{
    name         = "app"
    image        = "${data.aws_ecr_repository.shop.repository_url}:${var.image_tag}"
    essential    = true
    portMappings = [{ containerPort = 8080 }]
    environment  = [{ name = "SHUTDOWN_GRACE_SECONDS", value = "1" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.shop.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "shop"
      }
    }
  }])
}

resource "aws_ecs_service" "shop" {
  name                               = "shop"
  cluster                            = aws_ecs_cluster.shop.id
  task_definition                    = aws_ecs_task_definition.shop.arn
  desired_count                      = 2
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 50
  health_check_grace_period_seconds  = 60
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.shop.arn
    container_name   = "app"
    container_port   = 8080
  }
  network_configuration {
    subnets          = var.subnets
    security_groups  = [aws_security_group.shop.id]
    assign_public_ip = true
  }
  depends_on = [aws_lb_listener_rule.shop]
}

resource "aws_appautoscaling_target" "shop" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.shop.name}/${aws_ecs_service.shop.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 2
  max_capacity       = 4
}

resource "aws_appautoscaling_policy" "shop" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.shop.service_namespace
  resource_id        = aws_appautoscaling_target.shop.resource_id
  scalable_dimension = aws_appautoscaling_target.shop.scalable_dimension
  target_tracking_scaling_policy_configuration {
    target_value = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
