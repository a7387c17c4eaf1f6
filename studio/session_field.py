"""A field of a `QObject` that announces each change with the signal `<name>_changed`."""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar, overload

from PySide6.QtCore import QObject

T = TypeVar("T")


class Field(Generic[T]):
    """An immutable value. Setting another object emits `<name>_changed`; widgets read the value back.

    Objects are told apart by identity: values are immutable, and comparing arrays would cost more than showing
    the same value twice.
    """

    def __init__(self, initial: T) -> None:
        self._initial = initial
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, instance: QObject, owner: Any = None) -> T: ...
    def __get__(self, instance: QObject | None, owner: Any = None) -> Self | T:
        if instance is None:
            return self
        value: T = vars(instance).get(self._name, self._initial)
        return value

    def __set__(self, instance: QObject, value: T) -> None:
        if value is self.__get__(instance):
            return
        vars(instance)[self._name] = value
        getattr(instance, f"{self._name}_changed").emit()
