#pragma once
#include "cluster/clones.h"
