"""The view of the page, and a view that tasks call with a token."""

from accounts.views import ReportView
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class TaskView(APIView):
    """Answer 200 only to a token with the claim of the task."""

    def get(self, request):
        return Response(status=200 if request.auth["task"] == "call_api" else 403)


urlpatterns = [path("report/", ReportView.as_view()), path("task/", TaskView.as_view())]
