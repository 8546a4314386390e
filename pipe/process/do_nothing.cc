// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/do_nothing.h"

#include "pipe/engine/row_output.h"
#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

class DoNothing final : public Processor {
 public:
  std::string describe() const override { return "do-nothing-processor"; }
  bool changes_bytes() const override { return false; }
  Status process(const BatchView& batch, std::vector<Batch>* out) override {
    out->push_back(copy_of(batch));
    return {};
  }
  Status restore(ByteView state) override { return expect_no_state("do-nothing-processor", state); }
};

}  // namespace

std::unique_ptr<Processor> make_do_nothing_processor() {
  return std::make_unique<DoNothing>();
}

}  // namespace tidegate
