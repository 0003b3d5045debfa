#!/usr/bin/env bash
# mpirun as on two hosts that take turns at ranks: network namespaces with names and addresses of their own and a cable
# between them, so that ranks of one meet those of the other by TCP only. Needs root.
# usage: two_hosts.sh MPIRUN'S ARGUMENT...    RATE=10gbit limits the cable
set -euo pipefail
a=weft-a-$$ b=weft-b-$$
agent=$(mktemp)
trap 'rm -f "$agent"; ip netns del $a 2>/dev/null || true; ip netns del $b 2>/dev/null || true' EXIT

ip netns add $a
ip netns add $b
ip link add weft-$$a netns $a type veth peer name weft-$$b netns $b
ip -n $a address add 10.77.0.1/24 dev weft-$$a
ip -n $b address add 10.77.0.2/24 dev weft-$$b
for host in $a $b; do ip -n $host link set lo up; done
ip -n $a link set weft-$$a up
ip -n $b link set weft-$$b up
if [ -n "${RATE-}" ]; then
  tc -n $a qdisc add dev weft-$$a root tbf rate "$RATE" burst 1mb latency 10ms
  tc -n $b qdisc add dev weft-$$b root tbf rate "$RATE" burst 1mb latency 10ms
fi

# What mpirun takes for ssh: agent HOST COMMAND...
cat >"$agent" <<AGENT
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c "hostname host-b; \$*"
AGENT
chmod +x "$agent"

ip netns exec $a unshare --uts sh -c 'hostname host-a; exec "$@"' sh \
  mpirun --allow-run-as-root --oversubscribe --host 10.77.0.1:8,10.77.0.2:8 --map-by node --mca plm_rsh_agent "$agent" \
  --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
  --mca mpi_yield_when_idle 1 --mca hwloc_base_binding_policy none "$@"
