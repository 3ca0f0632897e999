#include "cluster/error.h"
