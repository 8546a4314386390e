// SPDX-License-Identifier: Apache-2.0
// PipePositions: where each local pipe stands in this journal, kept as notes of the journal itself, so that
// positions and data can never be of different days. Any thread.
#pragma once

#include "pipe/stream/stream_state.h"

namespace tidegate {

class PipePositions {
 public:
  PipePositions(Journal* journal, StreamState* state) : journal_(journal), state_(state) {}

  std::optional<PipePosition> get(const std::string& pipe) const { return state_->pipe_position(pipe); }
  // Everything up to `lsn` is delivered, and the connector's state that goes with it (at most kMaxPipeState
  // bytes). Durable with the next sync of the journal: until then a crash repeats what was delivered since.
  Status set(const std::string& pipe, Lsn lsn, ByteView state) {
    if (state.size() > kMaxPipeState || pipe.size() > kMaxNoteText) {
      return make_error(ErrorCode::kTooLarge,
                        "the state of a connector: " + std::to_string(state.size()) + " bytes")
          .in_pipe(pipe);
    }
    return write(PipePositionNote{pipe, lsn, to_bytes(state)});
  }
  Status drop(const std::string& pipe) { return write(PipeDroppedNote{pipe}); }

 private:
  template <class N>
  Status write(const N& note) {
    return journal_->append_note(static_cast<std::uint8_t>(N::kType), encode_note(note));
  }

  Journal* journal_;
  StreamState* state_;
};

}  // namespace tidegate
