"""eBPF instructions from Python: nobody needs a compiler to put a program into the kernel; RFC 9669."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

_INSTRUCTION = struct.Struct("=BBhi")
_IMMEDIATE, _REGISTER = 0x00, 0x08  # where the second operand is
_LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = 0x61, 0x62, 0x63, 0x04, 0x05, 0x06, 0x07
_ATOMIC = 0xC3
_LOAD_64 = 0x18
_CALL, _EXIT = 0x85, 0x95
_TO_BIG = 0xDC
_MAP = 1  # BPF_PSEUDO_MAP_FD: the number is a map's descriptor
_ADD, _COMPARE_EXCHANGE = 0x00, 0xF1


class Register(IntEnum):
    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register


class Size(IntEnum):
    """Of what is read or written."""

    WORD, HALF, BYTE, DOUBLE = 0x00, 0x08, 0x10, 0x18


class Op(IntEnum):
    """Arithmetic; §4.1."""

    ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH = (n << 4 for n in range(13))


class If(IntEnum):
    """Conditions of a jump, unsigned but for those of S; §4.3."""

    ALWAYS, EQ, GT, GE, SET, NE = (n << 4 for n in range(6))
    SGT, SGE = 0x60, 0x70
    LT, LE, SLT, SLE = 0xA0, 0xB0, 0xC0, 0xD0


class _Instruction(NamedTuple):
    code: int
    target: int = 0
    source: int = 0
    offset: int = 0
    number: int = 0
    label: str = ""  # where a jump goes


class Assembler:
    """A program in the making: one method for each kind of instruction, labels for jumps."""

    def __init__(self) -> None:
        self._instructions: list[_Instruction] = []
        self._labels: dict[str, int] = {}

    def __bytes__(self) -> bytes:
        return b"".join(self._encode(at, one) for at, one in enumerate(self._instructions))

    def __len__(self) -> int:
        return len(self._instructions)

    def op(self, op: Op, target: Register, operand: Register | int, *, bits: int = 64) -> None:
        """``target = target OP operand``; a result of 32 bits clears the upper half."""
        self._binary((_ALU64 if bits == 64 else _ALU) | op, target, operand)

    def move(self, target: Register, operand: Register | int) -> None:
        """``target = operand``"""
        self.op(Op.MOV, target, operand)

    def add(self, target: Register, operand: Register | int) -> None:
        """``target += operand``"""
        self.op(Op.ADD, target, operand)

    def load(self, size: Size, target: Register, base: Register, offset: int) -> None:
        """``target = base[offset]``"""
        self._append(_Instruction(_LDX | size, target, base, offset))

    def store(self, size: Size, base: Register, offset: int, operand: Register | int) -> None:
        """``base[offset] = operand``"""
        if isinstance(operand, Register):
            self._append(_Instruction(_STX | size, base, operand, offset))
        else:
            self._append(_Instruction(_ST | size, base, 0, offset, operand))

    def add_atomically(self, base: Register, offset: int, operand: Register) -> None:
        """``base[offset] += operand`` of 64 bits, whoever else does so."""
        self._append(_Instruction(_ATOMIC | Size.DOUBLE, base, operand, offset, _ADD))

    def compare_exchange(self, base: Register, offset: int, operand: Register) -> None:
        """``base[offset] = operand`` of 32 bits if R0 is there; R0 is what was there."""
        self._append(_Instruction(_ATOMIC | Size.WORD, base, operand, offset, _COMPARE_EXCHANGE))

    def to_big_endian(self, target: Register, bits: int) -> None:
        """Turn a number around as the network has it, or back."""
        self._append(_Instruction(_TO_BIG, target, number=bits))

    def jump_if(
        self, condition: If, left: Register, right: Register | int, label: str, *, bits: int = 64
    ) -> None:
        """``if left CONDITION right: goto label``"""
        self._binary((_JMP if bits == 64 else _JMP32) | condition, left, right, label)

    def jump(self, label: str) -> None:
        """``goto label``"""
        self._append(_Instruction(_JMP, label=label))

    def label(self, name: str) -> None:
        """Here is where jumps to ``name`` go."""
        assert name not in self._labels
        self._labels[name] = len(self._instructions)

    def load_map(self, target: Register, descriptor: int) -> None:
        """``target`` is a map of the kernel's."""
        self._append(_Instruction(_LOAD_64, target, _MAP, number=descriptor))
        self._append(_Instruction(0))

    def call(self, helper: int) -> None:
        """``R0 = helper(R1, … R5)``; R6 to R9 stay."""
        self._append(_Instruction(_CALL, number=helper))

    def exit(self) -> None:
        """``return R0``"""
        self._append(_Instruction(_EXIT))

    def _binary(self, code: int, target: Register, operand: Register | int, label: str = "") -> None:
        if isinstance(operand, Register):
            self._append(_Instruction(code | _REGISTER, target, operand, label=label))
        else:
            self._append(_Instruction(code | _IMMEDIATE, target, 0, number=operand, label=label))

    def _append(self, instruction: _Instruction) -> None:
        self._instructions.append(instruction)

    def _encode(self, at: int, one: _Instruction) -> bytes:
        offset = self._labels[one.label] - at - 1 if one.label else one.offset
        return _INSTRUCTION.pack(one.code, one.target | one.source << 4, offset, one.number)
