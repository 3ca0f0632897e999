#pragma once

namespace lockstep {

/// Ignores SIGHUP again if it was ignored when the process started, as under nohup: libraries may have taken it over before main.
void keep_hangup_ignored();

}  // namespace lockstep
