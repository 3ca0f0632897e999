# Sourced: hosts of one machine for tests of several. Each is a network namespace with its own address, host name, /dev/shm and TMPDIR; a bridge in
# another namespace joins them. Nothing is added to the machine's own network, and no packet can leave: no namespace has a route outside.
#
#   hosts_possible DIR || skip      root with the right to make namespaces; prints why not
#   hosts_up DIR N                  h1 .. hN, 10.77.0.1 .. N; state in DIR
#   on_host I COMMAND...            runs a command there
#   with_mpi_on_hosts COMMAND...    runs a command on h1 with what Open MPI needs to start processes on the others
#   mpirun_hosts ARGUMENTS...       Open MPI's mpirun, started on h1, ended after 200 s
#   hosts_down                      ends every process in the namespaces (found by namespace, never by name) and removes them

hosts_prefix=lockstep-$$-

hosts_possible() {
  [ "$(id -u)" = 0 ] || { echo 'network namespaces need root'; return 1; }
  command -v ip > /dev/null && command -v nsenter > /dev/null || { echo 'ip (iproute2) or nsenter (util-linux) is not installed'; return 1; }
  local said
  said=$({ ip netns add "${hosts_prefix}try" && ip -n "${hosts_prefix}try" link add v0 type veth peer name v1 &&
    ip -n "${hosts_prefix}try" link add b0 type bridge && unshare -u -m -i true; } 2>&1) || { hosts_down; echo "this machine allows no network namespaces: $said"; return 1; }
  hosts_down
}

# The namespaces of this script, and of every script that was killed before it could clean up.
hosts_names() {
  local name owner
  for name in $(ip netns list | awk '/^lockstep-[0-9]+-/ { print $1 }'); do
    owner=${name#lockstep-}
    owner=${owner%%-*}
    if [ "$owner" = $$ ] || [ ! -e "/proc/$owner" ]; then echo "$name"; fi
  done
}

hosts_processes() { local name; for name in $(hosts_names); do ip netns pids "$name"; done; }

hosts_down() {
  local signal name processes turn
  for signal in TERM KILL; do
    for turn in $(seq 100); do
      processes=$(hosts_processes)
      [ -n "$processes" ] || break
      # shellcheck disable=SC2086
      [ "$turn" != 1 ] || kill -$signal $processes 2> /dev/null || true
      sleep 0.02
    done
  done
  for name in $(hosts_names); do ip netns del "$name"; done
}

hosts_up() {
  local directory=$1 count=$2 hub=${hosts_prefix}hub i
  hosts_directory=$directory
  mkdir -p "$directory"
  ip netns add "$hub"
  ip -n "$hub" link add bridge type bridge
  ip -n "$hub" link set bridge up
  { echo '127.0.0.1 localhost'; for i in $(seq "$count"); do echo "10.77.0.$i h$i"; done; } > "$directory/hosts"
  for i in $(seq "$count"); do host_up "$i"; done
  cat > "$directory/agent" <<AGENT
#!/usr/bin/env bash
# What ssh is to mpirun elsewhere: agent [options] HOST COMMAND...
while [ "\${1#-}" != "\$1" ]; do shift; done
host=\$1
shift
exec nsenter -t "\$(cat "$directory/\$host.pid")" -n -u -m -i env TMPDIR="$directory/\$host" sh -c "\$*"
AGENT
  chmod +x "$directory/agent"
}

host_up() {
  local i=$1 namespace=$hosts_prefix"h$1" pipe
  ip netns add "$namespace"
  ip -n "$namespace" link set lo up
  ip link add "port$i" netns "${hosts_prefix}hub" type veth peer name eth0 netns "$namespace"
  ip -n "${hosts_prefix}hub" link set "port$i" master bridge up
  ip -n "$namespace" addr add "10.77.0.$i/24" dev eth0
  ip -n "$namespace" link set eth0 up
  mkdir -p "$hosts_directory/h$i"
  pipe=$hosts_directory/h$i.ready
  mkfifo "$pipe"
  # A process that does nothing keeps the host name, mounts and shared memory alive.
  nsenter --net="/run/netns/$namespace" unshare -u -m -i --propagation private sh -c "
    hostname h$i && mount -t tmpfs -o size=256m tmpfs /dev/shm && mount --bind '$hosts_directory/hosts' /etc/hosts && echo \$\$ > '$hosts_directory/h$i.pid'
    echo ready > '$pipe'; exec sleep infinity" < /dev/null > "$hosts_directory/h$i.log" 2>&1 &
  read -r < "$pipe"
  [ -s "$hosts_directory/h$i.pid" ] || { cat "$hosts_directory/h$i.log"; return 1; }
}

on_host() {
  local pid
  pid=$(cat "$hosts_directory/h$1.pid")
  nsenter -t "$pid" -n -u -m -i env -C "$PWD" TMPDIR="$hosts_directory/h$1" "${@:2}"
}

# What Open MPI needs on the hosts. Open MPI 5 has its launcher's settings from PRRTE, which reads PRTE_MCA_... and calls rsh ssh.
export hosts_mpi="OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=tcp,self,vader OMPI_MCA_pml=ob1
  OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24 PRTE_MCA_prte_if_include=10.77.0.0/24
  OMPI_MCA_mpi_yield_when_idle=1"

with_mpi_on_hosts() {
  # shellcheck disable=SC2086
  on_host 1 env $hosts_mpi OMPI_MCA_plm=rsh PRTE_MCA_plm=ssh OMPI_MCA_plm_rsh_agent="$hosts_directory/agent" \
    PRTE_MCA_plm_ssh_agent="$hosts_directory/agent" OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none "$@"
}

mpirun_hosts() { with_mpi_on_hosts timeout -k 5 200 mpirun "$@"; }
