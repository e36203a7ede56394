#!/bin/sh
# The first process of a node, in namespaces of its own. It makes the node's root, waits until the host has connected
# the network, and starts the node's programs. Everything that it makes ends with its namespaces.
# Needs: NODE_DIRECTORY NODE_LOWER NODE_PROGRAMS NODE_NAME NODE_ADDRESS
set -eu
cd "$NODE_DIRECTORY"
mount --make-rprivate /
# Relative names: a path may hold a comma or a colon, which overlay's options cannot.
mount --bind "$NODE_LOWER" lower
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root
cd root
mkdir -p proc sys dev run old var/lib/kubelet var/lib/containerd etc/kubernetes
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/devcluster/bin run/devcluster/conf run/devcluster/log run/containerd
mount --bind "$NODE_PROGRAMS" run/devcluster/bin
mount -o remount,bind,ro run/devcluster/bin
mount --bind ../conf run/devcluster/conf
mount --bind ../log run/devcluster/log
mount --bind ../containerd var/lib/containerd
mount --bind ../kubelet var/lib/kubelet
# The kubelet sets these for the whole machine unless they are as it wants them: show it that they are.
for tunable in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=run/devcluster/$(echo "${tunable%=*}" | tr / _)
  echo "${tunable#*=}" >"$file"
  if [ -e "proc/sys/${tunable%=*}" ]; then mount --bind "$file" "proc/sys/${tunable%=*}"; fi
done
hostname "$NODE_NAME"
pivot_root . old
cd /
umount -l /old
rmdir /old
# A pod that mounts the node's root with propagation needs it shared.
mount --make-rshared /

echo namespaces >/run/devcluster/log/stage
read -r _connected
echo 1 >/proc/sys/net/ipv4/ip_forward

export PATH=/run/devcluster/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /run/devcluster
# start NAME COMMAND…: in the background; a line in `exited` if it ends.
start() {
  program=$1
  shift
  { code=0; "$@" >"log/$program.log" 2>&1 </dev/null || code=$?; echo "$program $code" >>log/exited; } &
}
start containerd containerd --config conf/containerd.toml
attempts=0
until [ -S /run/containerd/containerd.sock ] || [ "$attempts" -gt 600 ] || [ -e log/exited ]; do
  attempts=$((attempts + 1))
  sleep 0.05
done
start kubelet kubelet --kubeconfig=conf/kubelet.kubeconfig --config=conf/kubelet.yaml \
  --hostname-override="$NODE_NAME" --node-ip="$NODE_ADDRESS"
start kube-proxy kube-proxy --config=conf/kube-proxy.yaml --hostname-override="$NODE_NAME"
# The first process of a machine reaps what others leave.
while :; do
  sleep 3600 &
  wait "$!" || true
done
