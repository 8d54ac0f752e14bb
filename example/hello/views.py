"""The protected view of the tutorial."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_signet import answers


class HelloSerializer(serializers.Serializer[Any]):
    """A greeting."""

    message = serializers.CharField()


class HelloView(APIView):
    """Greet any user who sends a valid access token."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={200: HelloSerializer, **answers.PROTECTED})
    def get(self, request: Request) -> Response:
        content = {"message": "Hello, World!"}
        return Response(content)
