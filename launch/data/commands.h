#pragma once

namespace lockstep {

class Command;

/// One function per sub-command of `lockstep data`.
void add_data_make(Command& data);
void add_data_import(Command& data);
void add_data_show(Command& data);
void add_data_fetch(Command& data);

/// One function per format of `lockstep data import`.
void add_import_csv(Command& import);
void add_import_npz(Command& import);
void add_import_npy(Command& import);
void add_import_images(Command& import);
void add_import_hdf5(Command& import);

}  // namespace lockstep
