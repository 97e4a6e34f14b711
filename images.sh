#!/usr/bin/env bash
# Builds the images for Fargate and pushes them to the stack's repositories. Pushing the sample app starts a
# deployment, so the probe goes first. Arguments go to the sample app's `docker build`.
#
# VERSION=0.0.2 images.sh [--build-arg FAULT_ERROR_RATE=1]; without VERSION it pushes the probe alone.
set -euo pipefail
stack=${STACK:-crossfade}
# The tag names the probe's content (tests/unit/test_pins.py), so that a newer Crossfade runs a newer probe.
probe_tag=$(sed -n '/^  ProbeImageTag:/,/Default:/s/.*Default: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' template.yaml)

output() {
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# Without attestations: they hold the time of the build, so that the same content would have two digests.
build() {
  docker build --platform linux/amd64 --provenance=false "$@"
}

probe_repository=$(output ProbeRepository)
sample_repository=$(output SampleRepository)
aws ecr get-login-password | docker login --username AWS --password-stdin "${probe_repository%%/*}"

if aws ecr describe-images --repository-name "${probe_repository#*/}" --image-ids "imageTag=$probe_tag" \
  >/dev/null 2>&1; then
  echo "The probe's image $probe_tag is there."
else
  build --tag "$probe_repository:$probe_tag" probe
  docker push "$probe_repository:$probe_tag"
fi
if [ -z "${VERSION:-}" ]; then
  exit
fi
if [ -z "$sample_repository" ]; then
  echo "The stack $stack has no sample service (DeploySampleApp=false): the probe's image is all it needs."
  exit
fi
build --build-arg "VERSION=$VERSION" "$@" --tag "$sample_repository:$VERSION" sample_app
docker push "$sample_repository:$VERSION"
