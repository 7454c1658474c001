//! Flow collections: `[a, b]` and `{a: b}`, with the comments that may stand inside them.

use crate::Dialect;
use crate::emitter::{Context, Emitter, Out, OutKind, State};

impl<'a> Emitter<'a> {
    /// Whether a comment waits to be written behind the node at hand.
    fn has_trail(&self) -> bool {
        !(self.line_comment.is_empty()
            && self.foot_comment.is_empty()
            && self.tail_comment.is_empty())
    }

    /// The comma and the comments behind an entry of a flow collection.
    fn flow_trail(&mut self) {
        if self.has_trail() {
            self.write_indicator(",", false, false, false);
        }
        self.write_line_comment();
        self.write_foot_comment();
    }

    /// The break before an entry of a flow collection, where one is due.
    fn flow_break(&mut self) {
        if self.column == 0 {
            self.write_indent();
        }
        if self.column > self.best_width {
            self.write_indent();
        }
    }

    pub(crate) fn flow_sequence_item(&mut self, event: Out<'_, 'a>, first: bool, trail: bool) {
        if first {
            self.write_indicator("[", true, true, false);
            self.increase_indent(true, false, false);
            self.flow_level += 1;
        }
        if event.kind == OutKind::SequenceEnd {
            self.flow_level -= 1;
            self.pop_indent();
            if self.column == 0 && self.dialect == Dialect::V3 {
                self.write_indent();
            }
            self.write_indicator("]", false, false, false);
            self.write_line_comment();
            self.write_foot_comment();
            self.pop_state();
            return;
        }
        if !first && !trail {
            self.write_indicator(",", false, false, false);
        }
        self.write_head_comment();
        self.flow_break();
        let trailing = self.has_trail();
        self.states.push(match trailing {
            true => State::FlowSequenceTrailItem,
            false => State::FlowSequenceItem,
        });
        self.node(event, Context::Sequence);
        self.flow_trail();
    }

    pub(crate) fn flow_mapping_key(&mut self, event: Out<'_, 'a>, first: bool, trail: bool) {
        if first {
            self.write_indicator("{", true, true, false);
            self.increase_indent(true, false, false);
            self.flow_level += 1;
        }
        if event.kind == OutKind::MappingEnd {
            let comments = !self.head_comment.is_empty()
                || !self.foot_comment.is_empty()
                || !self.tail_comment.is_empty();
            if comments && !first && !trail {
                self.write_indicator(",", false, false, false);
            }
            self.write_head_comment();
            self.flow_level -= 1;
            self.pop_indent();
            self.write_indicator("}", false, false, false);
            self.write_line_comment();
            self.write_foot_comment();
            self.pop_state();
            return;
        }
        if !first && !trail {
            self.write_indicator(",", false, false, false);
        }
        self.write_head_comment();
        self.flow_break();
        if self.is_simple_key(&event) {
            self.states.push(State::FlowMappingSimpleValue);
            self.node(event, Context::SimpleKey);
        } else {
            self.write_indicator("?", true, false, false);
            self.states.push(State::FlowMappingValue);
            self.node(event, Context::Mapping);
        }
    }

    pub(crate) fn flow_mapping_value(&mut self, event: Out<'_, 'a>, simple: bool) {
        if simple {
            self.write_indicator(":", false, false, false);
        } else {
            if self.column > self.best_width {
                self.write_indent();
            }
            self.write_indicator(":", true, false, false);
        }
        let trailing = self.has_trail();
        self.states.push(match trailing {
            true => State::FlowMappingTrailKey,
            false => State::FlowMappingKey,
        });
        self.node(event, Context::Mapping);
        self.flow_trail();
    }
}
