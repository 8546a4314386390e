// SPDX-License-Identifier: Apache-2.0
// do-nothing-processor: every batch comes out as it went in. The default of a pipe.
#pragma once

#include <memory>

#include "pipe/engine/processor.h"

namespace tidegate {

std::unique_ptr<Processor> make_do_nothing_processor();

}  // namespace tidegate
