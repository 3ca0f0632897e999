#pragma once

namespace lockstep {

class Command;

/// One function per sub-command of `lockstep data`.
void add_data_make(Command& data);
void add_data_import(Command& data);
void add_data_show(Command& data);
void add_data_fetch(Command& data);

}  // namespace lockstep
