# A service of your own, from its load balancer to its spec, that Crossfade releases.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

variable "vpc" { type = string }

variable "subnets" {
  type        = list(string)
  description = "Public ones, in two zones"
}

variable "specs_path" {
  type        = string
  default     = "/crossfade/services/"
  description = "An output of Crossfade's stack"
}

variable "cleanup_function_arn" {
  type        = string
  description = "An output of Crossfade's stack"
}

resource "aws_security_group" "load_balancer" {
  name        = "web-load-balancer"
  description = "Clients of web"
  vpc_id      = var.vpc
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "tasks" {
  name        = "web-tasks"
  description = "Tasks of web, and the probe"
  vpc_id      = var.vpc
  ingress {
    from_port       = 8080
    to_port         = 8080
    protocol        = "tcp"
    security_groups = [aws_security_group.load_balancer.id]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "web" {
  name            = "web"
  subnets         = var.subnets
  security_groups = [aws_security_group.load_balancer.id]
}

resource "aws_lb_target_group" "web" {
  name        = "web"
  vpc_id      = var.vpc
  target_type = "ip"
  port        = 8080
  protocol    = "HTTP"
  health_check {
    path = "/healthz"
  }
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "web" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 100
  condition {
    path_pattern {
      values = ["/*"]
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
  lifecycle {
    ignore_changes = [action] # the weights in it are Crossfade's
  }
}

resource "aws_ecs_cluster" "web" {
  name = "web"
}

resource "aws_ecr_repository" "web" {
  name = "web"
}

resource "aws_iam_role" "execution" {
  name = "web-execution"
  path = "/crossfade/tasks/" # or any other, named in the parameter TaskRoles of Crossfade's stack
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

data "aws_partition" "current" {}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  cpu                      = 256
  memory                   = 512
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions = jsonencode([
    { name = "app", image = "${aws_ecr_repository.web.repository_url}:latest", portMappings = [{ containerPort = 8080 }] }
  ])
}

resource "aws_ecs_service" "web" { # the pattern of what runs: it has no task itself, so an apply changes nothing that is live
  name            = "web"
  cluster         = aws_ecs_cluster.web.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 0
  launch_type     = "FARGATE"
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
    container_name   = "app"
    container_port   = 8080
  }
  network_configuration {
    subnets          = var.subnets
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = true
  }
  lifecycle {
    ignore_changes = [desired_count] # `crossfade leave` gives it tasks
  }
  depends_on = [aws_lb_listener_rule.web, aws_iam_role_policy_attachment.execution]
}

resource "aws_ssm_parameter" "spec" {
  name = "${var.specs_path}web"
  type = "String"
  insecure_value = jsonencode({
    service = "web"
    like    = aws_ecs_service.web.id
    tasks   = 2
    version = { path = "/version" }
    release = { repository = aws_ecr_repository.web.name, push_tags = "^[0-9]+[.][0-9]+[.][0-9]+$" }
    traffic = [{ rule = aws_lb_listener_rule.web.arn }]
    preview = { listener = aws_lb_listener.web.arn }
    stages = [
      { weight = 0, min_seconds = 15, max_seconds = 600 }, { weight = 10, min_seconds = 15, max_seconds = 600 },
      { weight = 50, min_seconds = 15, max_seconds = 600 }, { weight = 100, min_seconds = 30, max_seconds = 600 }
    ]
    launch = { deadline_seconds = 300, hold_seconds = 10 }
    retire = { quiet_seconds = 60, drain_seconds = 320, deadline_seconds = 900, warm_seconds = 600 }
    probe  = { url = "http://${aws_lb.web.dns_name}", production_rate = 10, slot_rate = 20 }
  })
}

# Makes what is missing beside the load balancer; a destroy begins with it, and ends there while a slot is live.
resource "aws_lambda_invocation" "crossfade" {
  function_name   = var.cleanup_function_arn
  lifecycle_scope = "CRUD"
  input           = jsonencode({ service = "web", spec = aws_ssm_parameter.spec.insecure_value })
}

output "adopted" { # the parameter Adopted of Crossfade's stack
  value = "${aws_ecs_service.web.id},${aws_lb_listener_rule.web.arn}"
}
