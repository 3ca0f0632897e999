#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "io/files/work_progress.h"
#include "io/hdf5/file.h"
#include "io/run/table.h"

namespace lockstep {

/// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747): 60,000 + 10,000 grey 28x28 images as /train and /test. The four official files
/// are taken from the folder or base URL `from` (empty: the official address) and checked by their md5.
void fetch_fashion_mnist(Hdf5File& file, const std::string& from, const WorkProgressFactory& progress);

/// California housing (Pace & Barry 1997): scikit-learn's eight features, target MedHouseVal (100,000 dollars), split 11,610/3,870/5,160
/// into /train, /valid, /test by the seed. From `from` (empty: the address scikit-learn uses) the first of cal_housing.tgz,
/// cal_housing.data, california_housing.csv that is there; a URL may also name one of them. All checked by sha256.
void fetch_california_housing(Hdf5File& file, const std::string& from, std::uint64_t seed, const WorkProgressFactory& progress);

/// The eight features and the target out of the original headless table (longitude, latitude, age, rooms, bedrooms, population, households,
/// income, value); `name` is for messages.
Table derive_california_housing(std::string_view cal_housing_data, const std::string& name);

}  // namespace lockstep
