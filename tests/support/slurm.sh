# Sourced behind virtual_hosts.sh: a Slurm whose nodes are virtual hosts. slurmctld runs on h1, slurmd on each; munged has a key and socket of its own.
# Nothing listens outside the namespaces.
#
#   slurm_installed                 or prints which packages are missing
#   slurm_up N                      after hosts_up DIR N: N idle nodes h1 .. hN, or fails with the logs
#   on_cluster COMMAND...           a command of a user on h1: sbatch, squeue, ...
#   slurm_down                      cancels the jobs and ends the daemons, by the pids that they wrote; before hosts_down
#
# A job that is put back into the queue may start again after cred_expire + 1 s; 5 s is the least that Slurm takes (120 s is its default).

slurm_installed() {
  local program missing=
  for program in munged slurmctld slurmd sbatch srun; do command -v $program > /dev/null || missing+=" $program"; done
  [ -z "$missing" ] || { echo "Slurm is not installed:$missing (packages munge slurmctld slurmd slurm-client libpmi2-0)"; return 1; }
}

slurm_up() {
  local count=$1 directory=$hosts_directory/slurm i turn
  mkdir -p "$directory/state" "$directory/run" "$directory/log" "$directory/munge"
  (umask 077; head -c 1024 /dev/urandom > "$directory/munge/key")
  munged --force --key-file="$directory/munge/key" --socket="$directory/munge/socket" --pid-file="$directory/run/munged.pid" \
    --log-file="$directory/log/munged" --seed-file="$directory/munge/seed"
  cat > "$directory/slurm.conf" <<CONF
ClusterName=lockstep
SlurmctldHost=h1(10.77.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$directory/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/run/%n
SlurmctldPidFile=$directory/run/slurmctld.pid
SlurmdPidFile=$directory/run/slurmd.%n.pid
SlurmctldLogFile=$directory/log/slurmctld
SlurmdLogFile=$directory/log/%n
TmpFS=$directory/tmp.%n
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
MpiDefault=none
ReturnToService=2
SlurmdTimeout=60
KillWait=5
JobRequeue=1
SlurmdParameters=config_overrides
CONF
  for i in $(seq "$count"); do
    echo "NodeName=h$i NodeAddr=10.77.0.$i CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000" >> "$directory/slurm.conf"
    mkdir -p "$directory/run/h$i" "$directory/tmp.h$i"
  done
  echo "PartitionName=all Nodes=h[1-$count] Default=YES MaxTime=60 State=UP" >> "$directory/slurm.conf"
  on_cluster slurmctld -c
  for i in $(seq "$count"); do on_host "$i" env SLURM_CONF="$directory/slurm.conf" slurmd -N "h$i"; done
  for turn in $(seq 300); do
    [ "$(on_cluster sinfo -h -t idle -o %D 2> /dev/null)" != "$count" ] || return 0
    sleep 0.1
  done
  on_cluster sinfo -N -l
  tail -n 20 "$directory"/log/*
  return 1
}

on_cluster() {
  # shellcheck disable=SC2086
  on_host 1 env SLURM_CONF="$hosts_directory/slurm/slurm.conf" $hosts_mpi "$@"
}

# Pids that the daemons wrote, of those that still run with this cluster's configuration.
slurm_daemons() {
  local file pid
  for file in "$hosts_directory"/slurm/run/*.pid; do
    pid=$(cat "$file" 2> /dev/null) || continue
    if tr '\0' '\n' 2> /dev/null < "/proc/$pid/environ" | grep -qF "SLURM_CONF=$hosts_directory/" || grep -qaF "$hosts_directory" "/proc/$pid/cmdline" 2> /dev/null; then echo "$pid"; fi
  done
}

slurm_down() {
  local turn daemons
  [ -d "${hosts_directory:-/nowhere}/slurm" ] || return 0
  on_cluster timeout 10 scancel -u root 2> /dev/null || true
  for turn in $(seq 50); do
    [ -n "$(on_cluster timeout 5 squeue -h 2> /dev/null)" ] || break
    sleep 0.2
  done
  daemons=$(slurm_daemons)
  # shellcheck disable=SC2086
  [ -z "$daemons" ] || kill $daemons 2> /dev/null || true
  for turn in $(seq 100); do
    [ -n "$(slurm_daemons)" ] || return 0
    sleep 0.1
  done
  echo "these daemons of Slurm do not end: $(slurm_daemons)" >&2
  return 1
}
