#!/usr/bin/env bash
# Builds both images for Fargate and pushes them to the stack's repositories. Pushing the sample app starts a
# deployment, so the probe goes first.
set -euo pipefail
stack=${STACK:-crossfade}
probe_tag=${PROBE_TAG:-0.1.0}

output() {
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

probe_repository=$(output ProbeRepository)
sample_repository=$(output SampleRepository)
aws ecr get-login-password | docker login --username AWS --password-stdin "${probe_repository%%/*}"

if ! aws ecr describe-images --repository-name "${probe_repository#*/}" --image-ids "imageTag=$probe_tag" \
  >/dev/null 2>&1; then
  docker build --platform linux/amd64 --tag "$probe_repository:$probe_tag" probe
  docker push "$probe_repository:$probe_tag"
fi
docker build --platform linux/amd64 --build-arg "VERSION=$VERSION" --tag "$sample_repository:$VERSION" sample_app
docker push "$sample_repository:$VERSION"
